import * as tf from '@tensorflow/tfjs-core';
import { IlrecError } from '../errors';
import { deviation, meanRow } from '../pretrained/table_statistics';
import { createRandom } from '../random';
import type { LcRecLanguage } from './lc_rec_language';

/** What a new token's row is the mean of: see `initialRows`. */
export type InitialRowStrategy = 'titles' | 'level' | 'vocabulary';

export interface InitialRowsOptions {
  /** Default 'titles' where any item has a title, else 'vocabulary'. */
  strategy?: InitialRowStrategy;
  /** Standard deviation of the noise added, as a share of the standard deviation of the rows' numbers, at least 0: it sets equal means apart. Default 0.1. */
  noise?: number;
  /** Seed of the noise; default 0. */
  seed?: number;
}

/** Rows for tokens: row r of `values` is that of token `ids[r]`. */
export interface TokenRows {
  /** [R] */
  readonly ids: Int32Array;
  /** [R * D] row by row. */
  readonly values: Float32Array;
}

/**
 * First rows for the semantic-id tokens that a tokenizer did not have, from what the table already knows.
 *
 * - `titles`: over the items whose id holds the token, the mean of the items' means of the rows of their titles' tokens; a token of untitled items takes its level's mean.
 * - `level`: the mean of these over the tokens of the same level.
 * - `vocabulary`: the mean of all rows of the table.
 *
 * A mean keeps a new token's logit among the others'; noise lets tokens with equal means part.
 * @param table [V, D] of the tokenizer before the tokens were added: the embedding, or an untied head.
 * @throws IlrecError when titles are wanted and no item has one, or a title holds a token that the table has no row for.
 */
export async function initialRows(
  table: tf.Tensor2D,
  language: LcRecLanguage,
  { strategy, noise = 0.1, seed = 0 }: InitialRowsOptions = {},
): Promise<TokenRows> {
  const { titleTokens, semanticIdTokens } = language;
  if (!(noise >= 0 && Number.isFinite(noise)))
    throw new IlrecError(`initialRows: noise must be 0 or more, got ${noise}`);
  const titled = titleTokens.some((tokens) => tokens !== null);
  const chosen = strategy ?? (titled ? 'titles' : 'vocabulary');
  if (chosen !== 'vocabulary' && !titled)
    throw new IlrecError(
      `initialRows: strategy '${chosen}' must have titles, got none; give titles or take 'vocabulary'`,
    );
  const added = semanticIdTokens.filter(({ isNew }) => isNew);
  const hiddenSize = table.shape[1];
  const values = new Float32Array(added.length * hiddenSize);
  const { mean, spread } = await statisticsOf(table);

  const means = chosen === 'vocabulary' ? null : await titleMeans(table, language);
  added.forEach(({ id, level }, r) => {
    const row =
      means === null
        ? mean
        : ((chosen === 'titles' ? means.ofToken.get(id) : undefined) ?? means.ofLevel[level] ?? mean);
    values.set(row, r * hiddenSize);
  });
  const random = createRandom(seed);
  if (noise > 0) for (let i = 0; i < values.length; i++) values[i] += noise * spread * random.normal();
  return { ids: Int32Array.from(added, ({ id }) => id), values };
}

/** Mean row [D] and the standard deviation of the table's numbers about it. */
async function statisticsOf(table: tf.Tensor2D): Promise<{ mean: Float32Array; spread: number }> {
  const mean = meanRow(table);
  const scalar = deviation(table, mean);
  const [row, [spread]] = await Promise.all([mean.data(), scalar.data()]).finally(() => tf.dispose([mean, scalar]));
  return { mean: row as Float32Array, spread };
}

/** For each semantic-id token, and each level, the mean row of the titles behind it; absent where no such item has a title. */
async function titleMeans(
  table: tf.Tensor2D,
  language: LcRecLanguage,
): Promise<{ ofToken: Map<number, Float32Array>; ofLevel: (Float32Array | undefined)[] }> {
  const { titleTokens, semanticIds, semanticIdTokens } = language;
  const [vocabSize, hiddenSize] = table.shape;
  const rowOf = new Map<number, number>();
  for (const tokens of titleTokens) tokens?.forEach((token) => rowOf.has(token) || rowOf.set(token, rowOf.size));
  const highest = [...rowOf.keys()].reduce((a, b) => Math.max(a, b), 0);
  if (highest >= vocabSize)
    throw new IlrecError(
      `initialRows: the table must have a row for every token of a title, got ${vocabSize} rows and token ${highest}; use the model that the tokenizer belongs to`,
    );
  const gathered = tf.gather(table, Int32Array.from(rowOf.keys())); // [distinct, D]: far fewer than V
  const rows = await gathered.data().finally(() => gathered.dispose());

  const sums = new Map<number, { sum: Float64Array; count: number }>();
  const mean = new Float64Array(hiddenSize);
  titleTokens.forEach((tokens, item) => {
    if (tokens === null) return;
    mean.fill(0);
    for (const token of tokens) {
      const offset = (rowOf.get(token) as number) * hiddenSize;
      for (let d = 0; d < hiddenSize; d++) mean[d] += rows[offset + d] / tokens.length;
    }
    for (const token of new Set(semanticIds[item])) {
      let entry = sums.get(token);
      if (entry === undefined) sums.set(token, (entry = { sum: new Float64Array(hiddenSize), count: 0 }));
      entry.count++;
      for (let d = 0; d < hiddenSize; d++) entry.sum[d] += mean[d];
    }
  });

  const ofToken = new Map(
    [...sums].map(([token, { sum, count }]) => [token, Float32Array.from(sum, (value) => value / count)]),
  );
  const ofLevel: (Float32Array | undefined)[] = [];
  const depth = semanticIdTokens.reduce((deepest, { level }) => Math.max(deepest, level + 1), 0);
  for (let level = 0; level < depth; level++) {
    const known = semanticIdTokens.filter((token) => token.level === level).flatMap(({ id }) => ofToken.get(id) ?? []);
    if (known.length > 0)
      ofLevel[level] = Float32Array.from(
        { length: hiddenSize },
        (_, d) => known.reduce((sum, row) => sum + row[d], 0) / known.length,
      );
  }
  return { ofToken, ofLevel };
}
