import * as tf from '@tensorflow/tfjs-core';
import { IlrecError } from '../errors';
import { deviation, meanRow } from '../pretrained/table_statistics';
import { createRandom } from '../random';
import type { LcRecLanguage } from './lc_rec_language';

/** Which mean a new token's row starts from; see `initialRows`. */
export type InitialRowStrategy = 'titles' | 'level' | 'vocabulary';

/** Options of `initialRows` and `addItemTokens`. */
export interface InitialRowsOptions {
  /** Default 'titles' if any item has a title, else 'vocabulary'. */
  strategy?: InitialRowStrategy;
  /**
   * Standard deviation of the added noise, as a share of that of the table's values, at least 0. It separates equal
   * means. Default 0.1.
   */
  noise?: number;
  /** Seed of the noise. Default 0. */
  seed?: number;
}

/** Rows of an embedding table; row r of `values` belongs to token `ids[r]`. */
export interface TokenRows {
  /** Token ids, [R]. */
  readonly ids: Int32Array;
  /** The rows, flat [R * D]. */
  readonly values: Float32Array;
}

/**
 * Computes initial rows for the semantic-id tokens that a tokenizer did not have, from the rows of the existing tokens.
 *
 * - `titles`: average the rows of each title's tokens, then these means over the items whose semantic id contains the
 *   token. Tokens of untitled items get the mean of their level.
 * - `level`: the mean of the `titles` rows over all tokens of a level.
 * - `vocabulary`: the mean of all rows of the table.
 *
 * A mean keeps the logit of a new token within the range of the others. Noise separates tokens with equal means.
 *
 * @param table embedding or untied head before the tokens were added, [V, D].
 * @param language the catalogue's language, which has titles and semantic ids.
 * @param options strategy, noise and seed.
 * @returns the new tokens and their rows.
 * @throws IlrecError when noise is below 0, the strategy needs titles and no item has one, or a title has a token
 * without a row in the table.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { initialRows, lcRecLanguage, TextTokenizer, trainByteLevelBpe } from 'tfjs-ilrec';
 *
 * const json = trainByteLevelBpe(['red lipstick'], { vocabSize: 257, specialTokens: ['<eos>'] });
 * const tokenizer = TextTokenizer.fromJSON(json, { eos_token: '<eos>' });
 * const language = lcRecLanguage({ tokenizer, semanticIds: [['<a_0>']], titles: ['red'] });
 * const { ids, values } = await initialRows(tf.ones([257, 4]), language, { noise: 0 });
 * console.log(ids, values); // Int32Array(1) [ 257 ] Float32Array(4) [ 1, 1, 1, 1 ]
 * ```
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
    throw new IlrecError(`initialRows: strategy '${chosen}' needs titles, got none; give titles or use 'vocabulary'`);
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

/** Mean row [D] and the standard deviation of the table's values around it. */
async function statisticsOf(table: tf.Tensor2D): Promise<{ mean: Float32Array; spread: number }> {
  const mean = meanRow(table);
  const scalar = deviation(table, mean);
  const [row, [spread]] = await Promise.all([mean.data(), scalar.data()]).finally(() => tf.dispose([mean, scalar]));
  return { mean: row as Float32Array, spread };
}

/**
 * For each semantic-id token and each level, the mean row of its items' titles; absent when none of the items has a
 * title.
 */
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
      `initialRows: the table must have a row for every token of a title, got ${vocabSize} rows and token ` +
        `${highest}; use the model of this tokenizer`,
    );
  const gathered = tf.gather(table, Int32Array.from(rowOf.keys())); // [distinct, D], far fewer rows than V
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
