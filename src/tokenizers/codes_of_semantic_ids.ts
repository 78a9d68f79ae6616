/**
 * Numbers the tokens of semantic ids, level by level, in the order in which they occur. For `causalLM({ items: { codes } })`.
 *
 * @param semanticIds the tokens of each item, such as ['<a_5>', '<b_31>'], [N]; one may be shorter than another.
 * @returns a number from 0 for each level of each item; where an id has ended, the level's number for "no token".
 * @example
 * ```ts
 * import { codesOfSemanticIds } from 'tfjs-ilrec';
 *
 * console.log(codesOfSemanticIds([['<a_5>', '<b_2>'], ['<a_5>', '<b_9>'], ['<a_1>']])); // [ [ 0, 0 ], [ 0, 1 ], [ 1, 2 ] ]
 * ```
 */
export function codesOfSemanticIds(semanticIds: readonly (readonly string[])[]): number[][] {
  const numLevels = semanticIds.reduce((most, { length }) => Math.max(most, length), 0);
  const known = Array.from({ length: numLevels }, () => new Map<string | undefined, number>());
  return semanticIds.map((tokens) =>
    known.map((numbers, level) => {
      const number = numbers.get(tokens[level]) ?? numbers.size;
      numbers.set(tokens[level], number);
      return number;
    }),
  );
}
