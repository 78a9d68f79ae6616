/**
 * The word that may be meant by a misspelt one.
 *
 * @returns null where none is near: at most a third of the letters may differ, or one word begins with the other.
 */
export function nearestWord(word: string, known: readonly string[]): string | null {
  const asked = plain(word);
  const ranked = known
    .map((one) => ({ one, distance: distanceOf(asked, plain(one)) }))
    .sort((a, b) => a.distance - b.distance);
  const near = ranked.find(
    ({ one, distance }) => distance <= Math.max(1, Math.floor(Math.max(asked.length, one.length) / 3)),
  );
  const longer = known.find(
    (one) => asked.length > 2 && (plain(one).startsWith(asked) || asked.startsWith(plain(one))),
  );
  return near?.one ?? longer ?? null;
}

/** Case and separators do not count. */
function plain(word: string): string {
  return word.toLowerCase().replace(/[-_. ]/g, '');
}

/** Levenshtein's distance: letters to insert, delete or replace. */
function distanceOf(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++)
      row.push(Math.min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)));
    above = row;
  }
  return above[b.length];
}
