import { SparseMatrixBuilder, type SparseMatrix } from './sparse_matrix';

const NUM_BUCKETS = 2 ** 14;
const GRAM = { size: 3, weight: 0.3 }; // the six trigrams of a six-letter word weigh about twice the word
const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;
const UNSPACED_GRAM = { size: 2, weight: 1 }; // two characters are about a word in these scripts

/**
 * Hashes the words and character trigrams of titles, weighted by tf-idf, each row scaled to length 1.
 *
 * Words are runs of letters and digits of any script, in lower case. Trigrams are those of `_word_`, so "tent" and
 * "tents" are near each other. Scripts without spaces between words have character pairs instead.
 *
 * @returns [N, 16384]; the row of a null title is empty.
 */
export function titleFeatures(titles: readonly (string | null)[]): SparseMatrix {
  const rows = titles.map((title) => bucketsOf(title ?? ''));
  const documents = new Float64Array(NUM_BUCKETS);
  for (const row of rows) for (const bucket of row.keys()) documents[bucket]++;
  const builder = new SparseMatrixBuilder(NUM_BUCKETS);
  for (const row of rows) {
    let energy = 0;
    const weighted = [...row].map(([bucket, weight]): [number, number] => {
      const value = weight * Math.log((1 + titles.length) / documents[bucket]);
      energy += value * value;
      return [bucket, value];
    });
    for (const [bucket, value] of weighted) builder.add(bucket, value / Math.sqrt(energy));
    builder.endRow();
  }
  return builder.build();
}

/** The term weights of one title, by bucket. */
function bucketsOf(title: string): Map<number, number> {
  const weights = new Map<number, number>();
  const add = (feature: string, weight: number): void => {
    const bucket = hash(feature) % NUM_BUCKETS;
    weights.set(bucket, (weights.get(bucket) ?? 0) + weight);
  };
  for (const [word] of title
    .normalize('NFKC')
    .toLowerCase()
    .matchAll(/[\p{L}\p{N}\p{M}]+/gu)) {
    add(word, 1);
    const letters = [...`_${word}_`];
    const { size, weight } = UNSPACED.test(word) ? UNSPACED_GRAM : GRAM;
    for (let i = 0; i + size <= letters.length; i++) add(`#${letters.slice(i, i + size).join('')}`, weight);
  }
  return weights;
}

/** FNV-1a over UTF-16 units, 32 bits. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h >>> 0;
}
