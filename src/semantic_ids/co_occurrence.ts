import { SparseMatrixBuilder, type SparseMatrix } from './sparse_matrix';

/** Items at most this many steps apart in a sequence count as occurring together. */
const WINDOW = 5;
/** Exponent of the contexts' counts (Levy, Goldberg and Dagan 2015): without it, rare items are near everything. */
const SMOOTHING = 0.75;

/**
 * Positive pointwise mutual information of items within five steps of each other, weighted by 1 / distance.
 *
 * ```
 * PPMI(i, j) = max(0, log( c(i, j) · Σ c^0.75 / ( c(i) · c(j) )^0.875 ))
 * ```
 * It is the mean of the two directions, each with the context's count to the power of 0.75, so it is symmetric.
 *
 * @param sequences only the training items of each user: codes must not depend on validation and test items.
 * @returns [N, N], symmetric; the row of an item that never occurs is empty.
 */
export function positivePmi(sequences: readonly Int32Array[], numItems: number): SparseMatrix {
  const { starts, users, places } = occurrences(sequences, numItems);
  const counts = new Float64Array(numItems); // c(i) = sum over j of c(i, j)
  eachPair(sequences, (item, _, weight) => {
    counts[item] += weight;
  });
  let smoothedTotal = 0;
  for (const count of counts) smoothedTotal += count ** SMOOTHING;
  const divisor = counts.map((count) => count ** ((1 + SMOOTHING) / 2));

  const builder = new SparseMatrixBuilder(numItems);
  const row = new Float64Array(numItems);
  for (let item = 0; item < numItems; item++) {
    const touched: number[] = [];
    for (let o = starts[item]; o < starts[item + 1]; o++) {
      eachNeighbour(sequences[users[o]], places[o], (other, weight) => {
        if (row[other] === 0) touched.push(other);
        row[other] += weight;
      });
    }
    for (const other of touched) {
      const pmi = Math.log((row[other] * smoothedTotal) / (divisor[item] * divisor[other]));
      if (pmi > 0) builder.add(other, pmi);
      row[other] = 0;
    }
    builder.endRow();
  }
  return builder.build();
}

/**
 * Where each item occurs: item i is at index places[o] of the sequence of users[o], for o in starts[i]..starts[i + 1].
 */
function occurrences(
  sequences: readonly Int32Array[],
  numItems: number,
): { starts: Int32Array; users: Int32Array; places: Int32Array } {
  const starts = new Int32Array(numItems + 1);
  for (const sequence of sequences) for (const item of sequence) starts[item + 1]++;
  for (let item = 0; item < numItems; item++) starts[item + 1] += starts[item];
  const next = starts.slice();
  const users = new Int32Array(starts[numItems]);
  const places = new Int32Array(starts[numItems]);
  sequences.forEach((sequence, user) =>
    sequence.forEach((item, place) => {
      users[next[item]] = user;
      places[next[item]++] = place;
    }),
  );
  return { starts, users, places };
}

function eachPair(
  sequences: readonly Int32Array[],
  visit: (item: number, other: number, weight: number) => void,
): void {
  for (const sequence of sequences) {
    for (let place = 0; place < sequence.length; place++)
      eachNeighbour(sequence, place, (other, weight) => visit(sequence[place], other, weight));
  }
}

function eachNeighbour(sequence: Int32Array, place: number, visit: (other: number, weight: number) => void): void {
  const last = Math.min(sequence.length - 1, place + WINDOW);
  for (let other = Math.max(0, place - WINDOW); other <= last; other++) {
    if (sequence[other] !== sequence[place]) visit(sequence[other], 1 / Math.abs(other - place));
  }
}
