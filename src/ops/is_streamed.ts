/** Logits up to this many (4 MiB) are made at once; so are those of small vocabularies, where reading the head is not what costs. */
const [DENSE_LOGITS, SMALL_VOCABULARY] = [2 ** 20, 4096];

/** Whether a linear head is read tile by tile, so that its logits [numRows, vocabSize] never exist as a whole. */
export function isStreamed(vocabSize: number, numRows: number): boolean {
  return vocabSize > SMALL_VOCABULARY && vocabSize * numRows > DENSE_LOGITS;
}
