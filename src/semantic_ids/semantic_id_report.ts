import type { SemanticIdReport } from '../data/types';

/**
 * Reports how evenly a catalogue uses its codes.
 *
 * @param semanticIds tokens of each item, coarse to fine. An item counts only at the levels that it has.
 */
export function reportSemanticIds(
  semanticIds: readonly (readonly string[])[],
  source: SemanticIdReport['source'],
): SemanticIdReport {
  const levels = semanticIds.reduce((longest, tokens) => Math.max(longest, tokens.length), 0);
  const codesUsed: number[] = [];
  const perplexity: number[] = [];
  for (let level = 0; level < levels; level++) {
    const counts = new Map<string, number>();
    for (const tokens of semanticIds) {
      if (level < tokens.length) counts.set(tokens[level], (counts.get(tokens[level]) ?? 0) + 1);
    }
    codesUsed.push(counts.size);
    perplexity.push(perplexityOf([...counts.values()]));
  }
  const distinct = countDistinct(semanticIds);
  return { source, levels, codesUsed, perplexity, distinct, collisions: semanticIds.length - distinct };
}

/** exp(entropy) of counts: n for n equal counts, 1 for one count. */
export function perplexityOf(counts: readonly number[]): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  let entropy = 0;
  for (const count of counts) if (count > 0) entropy -= (count / total) * Math.log(count / total);
  return Math.exp(entropy);
}

/** Number of different lists of tokens. */
export function countDistinct(semanticIds: readonly (readonly (string | number)[])[]): number {
  return new Set(semanticIds.map((tokens) => tokens.join('\u0000'))).size;
}
