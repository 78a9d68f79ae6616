/**
 * Adds a last level that tells items with the same codes apart: the most popular of them gets 0, the next 1, and so on.
 *
 * Every item gets it, so that all have the same length; where no two items collide nothing is added.
 * @param codes per item, one code per level.
 * @param popularity per item, training interactions; ties go to the smaller item number.
 * @returns new codes, all different, and how many items shared another's before.
 */
export function resolveCollisions(
  codes: readonly (readonly number[])[],
  popularity: ArrayLike<number>,
): { codes: number[][]; collisions: number } {
  const groups = new Map<string, number[]>();
  codes.forEach((code, item) => {
    const key = code.join(' ');
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  });
  const collisions = codes.length - groups.size;
  const resolved = codes.map((code) => [...code]);
  if (collisions > 0) {
    for (const group of groups.values()) {
      group.sort((a, b) => popularity[b] - popularity[a] || a - b).forEach((item, rank) => resolved[item].push(rank));
    }
  }
  return { codes: resolved, collisions };
}
