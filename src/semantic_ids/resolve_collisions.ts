/**
 * Adds a last level that separates items with the same codes: the most popular of them gets 0, the next 1, and so on.
 *
 * All items get the level, so that all have the same length. It is not added if no two items share their codes.
 *
 * @param codes one code per level of each item, [N][levels].
 * @param popularity training interactions of each item, [N]. Of equals, the lower item number comes first.
 * @returns new codes, all different, and how many items had the codes of an earlier item.
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
