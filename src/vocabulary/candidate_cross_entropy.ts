import * as tf from '@tensorflow/tfjs-core';

/** How many positions are scored at once: their scores stay in the cache. */
const ROWS_PER_TILE = 256;
/** Added to a score that takes no part in the softmax. */
export const LEFT_OUT = -1e9;

/** The head of the candidates alone. */
export interface CandidateHead {
  /** W, [U, D]. The first M rows are shared candidates, which every position scores. */
  readonly weight: tf.Tensor2D;
  /** b, [U]. */
  readonly bias: tf.Tensor1D;
  /** Added to the scores of items already in the history, [1]; null for nothing. */
  readonly repeatBias: tf.Tensor1D | null;
}

/**
 * What each of P positions scores and aims at: M shared candidates, and K of its own.
 *
 * With `ownCount` true the position's own candidates are further terms of its softmax. Else they are among the shared
 * ones, and only name the targets.
 */
export interface Candidates {
  readonly numPositions: number;
  /** M. */
  readonly numShared: number;
  /** Added to the scores of the shared candidates: log(N / M) where they are a sample of N. */
  readonly sharedOffset: number;
  /** K, own candidates of a position, with padding. */
  readonly numOwn: number;
  readonly ownCount: boolean;
  /** Rows of W of the own candidates, [P * K]. */
  readonly own: Int32Array;
  /** The share of the target at each own candidate, [P * K]; the sum of a position is 1. */
  readonly targets: Float32Array;
  /** Which own candidates are padding (2), items of the history (1) or neither (0), [P * K]. */
  readonly ownMarks: Uint8Array;
  /** Shared candidates that position p leaves out: columns, those of p at [leftOutAt[p], leftOutAt[p + 1]). */
  readonly leftOut: Int32Array;
  readonly leftOutAt: Int32Array;
  /** Shared candidates that are in the history of position p, to which the repeat bias is added; in the same form. */
  readonly seen: Int32Array;
  readonly seenAt: Int32Array;
}

/** The loss, and what metrics are made of. */
export interface CandidateCrossEntropy {
  /** L, mean over P. */
  readonly loss: tf.Scalar;
  /** Cross-entropy of every own candidate, logsumexp - z, [P, K]; off the tape. */
  readonly ofOwn: tf.Tensor2D;
}

/**
 * Computes the cross-entropy of soft targets against a softmax over candidates. Scores [P, N] never exist.
 *
 * ```
 * z = W h + b,   L = mean_p [ logsumexp over the candidates of p of z_p - sum_i t_p(i) z_p(i) ]
 * dz = (softmax(z) - t) / P
 * ```
 * Gradients are made in the forward pass, tile by tile of positions.
 *
 * @param hidden [P, D].
 * @returns the loss, whose gradient flows to `hidden`, W, b and the repeat bias. The caller disposes both tensors.
 */
export function candidateCrossEntropy(
  hidden: tf.Tensor2D,
  head: CandidateHead,
  candidates: Candidates,
): CandidateCrossEntropy {
  const { weight, bias, repeatBias } = head;
  let ofOwn = null as tf.Tensor2D | null;
  const operation = tf.customGrad((...args) => {
    const save = args[args.length - 1] as tf.GradSaveFunc;
    const found = tf.tidy(() => valueAndGradients(hidden, head, candidates));
    ofOwn = tf.keep(found.ofOwn);
    save([found.dHidden, found.dWeight, found.dBias, ...(repeatBias === null ? [] : [found.dRepeat])]);
    return { value: found.loss, gradFunc: (dy, saved) => saved.map((gradient) => tf.mul(gradient, dy as tf.Tensor)) };
  });
  const inputs = [hidden, weight, bias, ...(repeatBias === null ? [] : [repeatBias])];
  const loss = tf.tidy(() => operation(...inputs)) as tf.Scalar;
  const kept = ofOwn as tf.Tensor2D | null as tf.Tensor2D;
  const released = tf.clone(kept); // in the caller's tidy
  kept.dispose();
  return { loss, ofOwn: released };
}

/**
 * Hidden states and head whose scores are divided by tau. The log(N / M) of a sample stays as it is: M drawn items stand
 * for N at every temperature.
 */
export function atTemperature(
  hidden: tf.Tensor2D,
  head: CandidateHead,
  temperature: number,
): { hidden: tf.Tensor2D; head: CandidateHead } {
  if (temperature === 1) return { hidden, head };
  const { weight, bias, repeatBias } = head;
  return {
    hidden: tf.div(hidden, temperature),
    head: {
      weight,
      bias: tf.div<tf.Tensor1D>(bias, temperature),
      repeatBias: repeatBias === null ? null : tf.div<tf.Tensor1D>(repeatBias, temperature),
    },
  };
}

interface Found {
  [name: string]: tf.Tensor;
  loss: tf.Scalar;
  ofOwn: tf.Tensor2D;
  dHidden: tf.Tensor2D;
  dWeight: tf.Tensor2D;
  dBias: tf.Tensor1D;
  dRepeat: tf.Tensor1D;
}

function valueAndGradients(hidden: tf.Tensor2D, head: CandidateHead, candidates: Candidates): Found {
  const [numPositions, hiddenSize] = hidden.shape;
  const [numRows] = head.weight.shape;
  const { numShared } = candidates;
  const shared = tf.slice(head.weight, [0, 0], [numShared, hiddenSize]); // [M, D]
  const transposed = tf.transpose(shared) as tf.Tensor2D; // [D, M]; on wasm a plain product is far faster
  const sharedBias = tf.add(tf.slice(head.bias, 0, numShared), candidates.sharedOffset) as tf.Tensor1D; // [M]
  const parts: { dHidden: tf.Tensor[]; ofOwn: tf.Tensor[] } = { dHidden: [], ofOwn: [] };
  let sums: Record<'loss' | 'dShared' | 'dSharedBias' | 'dWeight' | 'dBias' | 'dRepeat', tf.Tensor> = {
    loss: tf.scalar(0),
    dShared: tf.zeros([hiddenSize, numShared]), // transposed
    dSharedBias: tf.zeros([numShared]),
    dWeight: tf.zeros([numRows, hiddenSize]),
    dBias: tf.zeros([numRows]),
    dRepeat: tf.zeros([1]),
  };
  for (let start = 0; start < numPositions; start += ROWS_PER_TILE) {
    const size = Math.min(ROWS_PER_TILE, numPositions - start);
    const next = tf.tidy(() => {
      const tile = tileOf(candidates, start, size);
      const h = tf.slice(hidden, [start, 0], [size, hiddenSize]); // [R, D]
      const z = scoresOf(h, transposed, sharedBias, head, tile); // [R, M], [R, K]
      const highest = tf.maximum(tf.max(z.shared, 1, true), tf.max(z.own, 1, true)); // [R, 1]
      const exponentials = tf.exp(tf.sub(z.shared, highest)); // [R, M]
      const ownExponentials = candidates.ownCount ? tf.exp(tf.sub(z.own, highest)) : tf.zerosLike(z.own); // [R, K]
      const total = tf.add(tf.sum(exponentials, 1, true), tf.sum(ownExponentials, 1, true)); // [R, 1]
      const ofOwn = tf.sub(tf.add(tf.log(total), highest), z.own); // [R, K]
      const scale = tf.div(1 / numPositions, total); // [R, 1]
      const g = tf.mul(exponentials, scale); // [R, M]
      const targets = tf.mul(tile.targets, 1 / numPositions);
      const gOwn = tf.sub(tf.mul(ownExponentials, scale), targets); // [R, K]
      const flat = tf.reshape(gOwn, [-1, 1]); // [R * K, 1]
      const dRows = tf.reshape(tf.mul(tf.expandDims(gOwn, 2), tf.expandDims(h, 1)), [-1, hiddenSize]); // [R * K, D]
      const dOwn = tf.sum(tf.mul(tf.reshape(z.rows, [size, -1, hiddenSize]), tf.expandDims(gOwn, 2)), 1); // [R, D]
      const dRepeat =
        head.repeatBias === null ? null : tf.add(tf.sum(tf.mul(g, tile.seen)), tf.sum(tf.mul(gOwn, tile.ownSeen)));
      return {
        loss: tf.add(sums.loss, tf.sum(tf.mul(targets, ofOwn))),
        dShared: tf.add(sums.dShared, tf.matMul(tf.transpose(h), g as tf.Tensor2D)),
        dSharedBias: tf.add(sums.dSharedBias, tf.sum(g, 0)),
        dWeight: tf.add(sums.dWeight, tf.unsortedSegmentSum(dRows, tile.own, numRows)),
        dBias: tf.add(sums.dBias, tf.reshape(tf.unsortedSegmentSum(flat, tile.own, numRows), [numRows])),
        dRepeat: dRepeat === null ? tf.clone(sums.dRepeat) : tf.add(sums.dRepeat, dRepeat),
        dHidden: tf.add(tf.matMul(g as tf.Tensor2D, shared), dOwn),
        ofOwn,
      };
    });
    tf.dispose(sums);
    const { dHidden, ofOwn, ...others } = next;
    sums = others;
    parts.dHidden.push(dHidden);
    parts.ofOwn.push(ofOwn);
  }
  const padded = (tensor: tf.Tensor): tf.Tensor =>
    numShared === numRows
      ? tensor
      : tf.pad(tensor, [[0, numRows - numShared], ...tensor.shape.slice(1).map(() => [0, 0] as [number, number])] as [
          [number, number],
        ]);
  return {
    loss: sums.loss as tf.Scalar,
    ofOwn: tf.concat(parts.ofOwn, 0) as tf.Tensor2D,
    dHidden: tf.concat(parts.dHidden, 0) as tf.Tensor2D,
    dWeight: tf.add(sums.dWeight, padded(tf.transpose(sums.dShared))) as tf.Tensor2D,
    dBias: tf.add(sums.dBias, padded(sums.dSharedBias)) as tf.Tensor1D,
    dRepeat: sums.dRepeat as tf.Tensor1D,
  };
}

interface Tile {
  /** int32 [R * K]. */
  readonly own: tf.Tensor1D;
  readonly targets: tf.Tensor2D;
  /** [R, K]: LEFT_OUT at padding. */
  readonly ownOffsets: tf.Tensor2D;
  readonly ownSeen: tf.Tensor2D;
  /** [R, M]; null where no shared candidate is left out. */
  readonly offsets: tf.Tensor2D | null;
  /** 1 at the items of the history, [R, M]; only for the repeat bias. */
  readonly seen: tf.Tensor2D;
}

function tileOf(candidates: Candidates, start: number, size: number): Tile {
  const { numOwn, numShared, own, targets, ownMarks } = candidates;
  const [from, to] = [start * numOwn, (start + size) * numOwn];
  const marks = ownMarks.subarray(from, to);
  const matrix = (values: Float32Array): tf.Tensor2D => tf.tensor2d(values, [size, numOwn]);
  return {
    own: tf.tensor1d(own.slice(from, to), 'int32'),
    targets: matrix(targets.slice(from, to)),
    ownOffsets: matrix(Float32Array.from(marks, (mark) => (mark === 2 ? LEFT_OUT : 0))),
    ownSeen: matrix(Float32Array.from(marks, (mark) => (mark === 1 ? 1 : 0))),
    offsets: columnsOf(candidates.leftOut, candidates.leftOutAt, start, size, numShared, LEFT_OUT),
    seen: columnsOf(candidates.seen, candidates.seenAt, start, size, numShared, 1) ?? tf.zeros([1, 1]),
  };
}

/** A value at some columns of each row, [R, M]; null where there is none. */
export function columnsOf(
  columns: Int32Array,
  places: Int32Array,
  start: number,
  size: number,
  width: number,
  value: number,
): tf.Tensor2D | null {
  if (places[start] === places[start + size]) return null;
  const matrix = new Float32Array(size * width);
  for (let row = 0; row < size; row++) {
    for (let i = places[start + row]; i < places[start + row + 1]; i++) matrix[row * width + columns[i]] = value;
  }
  return tf.tensor2d(matrix, [size, width]);
}

interface Scores {
  /** [R, M]. */
  readonly shared: tf.Tensor;
  /** [R, K]. */
  readonly own: tf.Tensor;
  /** Rows of W of the own candidates, [R * K, D]. */
  readonly rows: tf.Tensor;
}

function scoresOf(
  h: tf.Tensor2D,
  transposed: tf.Tensor2D,
  sharedBias: tf.Tensor1D,
  { weight, bias, repeatBias }: CandidateHead,
  tile: Tile,
): Scores {
  const [size, hiddenSize] = h.shape;
  let shared: tf.Tensor = tf.add(tf.matMul(h, transposed), sharedBias);
  if (tile.offsets !== null) shared = tf.add(shared, tile.offsets);
  if (repeatBias !== null) shared = tf.add(shared, tf.mul(tile.seen, repeatBias));
  const rows = tf.gather(weight, tile.own); // [R * K, D]
  const products = tf.sum(tf.mul(tf.reshape(rows, [size, -1, hiddenSize]), tf.expandDims(h, 1)), 2); // [R, K]
  let own: tf.Tensor = tf.add(products, tf.reshape(tf.gather(bias, tile.own), [size, -1]));
  own = tf.add(own, tile.ownOffsets);
  if (repeatBias !== null) own = tf.add(own, tf.mul(tile.ownSeen, repeatBias));
  return { shared, own, rows };
}
