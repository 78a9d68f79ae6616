/** Names that differ in more than this share of their letters are no suggestion. */
const LARGEST_SHARE = 0.4;
/** A title that holds the words that were asked for is close, whatever else it holds. */
const HOLDS_WORDS = 0.2;
const SUGGESTIONS = 3;

/** A name that can be suggested, and the texts that it is compared by. */
export interface NamedItem {
  readonly item: number;
  readonly texts: readonly string[];
}

/**
 * Finds the items whose id or title is nearest to a name, by edit distance and by the words that a title holds.
 *
 * @param name what was asked for, folded by `folded` like the texts.
 * @returns item numbers, nearest first, at most three.
 */
export function similarNames(name: string, named: Iterable<NamedItem>): number[] {
  const found: { item: number; share: number }[] = [];
  for (const { item, texts } of named) {
    let least = Infinity;
    for (const text of texts) least = Math.min(least, shareOfEdits(name, text), holdsWords(name, text));
    if (least <= LARGEST_SHARE) found.push({ item, share: least });
  }
  found.sort((a, b) => a.share - b.share || a.item - b.item);
  return found.slice(0, SUGGESTIONS).map(({ item }) => item);
}

/** A name without what people write differently: case, forms of Unicode, spaces. */
export function folded(name: string): string {
  return name.normalize('NFKC').toLowerCase().replace(/\s+/g, ' ').trim();
}

function holdsWords(name: string, text: string): number {
  if (name.length < 3 || name.length > text.length) return Infinity;
  return name.split(' ').every((word) => text.includes(word)) ? HOLDS_WORDS + 0.1 * (1 - name.length / text.length) : 1;
}

/** Edit distance over the longer length, or 1 where it is beyond `LARGEST_SHARE`. */
function shareOfEdits(a: string, b: string): number {
  const longer = Math.max(a.length, b.length);
  if (longer === 0) return 0;
  const most = Math.floor(LARGEST_SHARE * longer);
  if (Math.abs(a.length - b.length) > most) return 1;
  const distance = editDistance(a, b, most);
  return distance > most ? 1 : distance / longer;
}

/**
 * Levenshtein's distance: letters that are added, left out or changed.
 *
 * @param most a larger distance need not be exact.
 */
export function editDistance(a: string, b: string, most = Infinity): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    let least = i;
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(next[j - 1] + 1, row[j] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
      least = Math.min(least, next[j]);
    }
    if (least > most) return least;
    row = next;
  }
  return row[b.length];
}
