import * as tf from '@tensorflow/tfjs-core';
import { runHeadKernel } from '../../vocabulary/device_head';
import { hiddenSizeOf, type VocabularyProjection, vocabSizeOf } from '../../vocabulary/vocabulary_projection';
import { tileWidth } from '../../vocabulary/vocabulary_tiles';
import type { StreamedRows } from '../../vocabulary/expectations';

/** What a reading of the vocabulary finds, on the device: `Expectations` with columns for arrays. */
export interface DeviceExpectations {
  /** log sum e^z of the final rows, [P, 1]. */
  readonly final: tf.Tensor2D;
  /** Of the students, [S * P, 1]; null where there are none. */
  readonly students: tf.Tensor2D | null;
  /** Of final rows and students, [P + S * P, 1]. */
  readonly all: tf.Tensor2D;
  /** Of z~, [P, 1]; null where it was not asked for. */
  readonly ensemble: tf.Tensor2D | null;
  /** E_p[W] of the rows that it was asked for, the final ones first, [P or P + S * P, D]; null for none. */
  readonly rows: tf.Tensor2D | null;
  readonly candidates: DeviceCandidates | null;
}

/** The tokens of each response row that may be negatives, [P, C]; where fewer are, z~ is below every logit. */
export interface DeviceCandidates {
  /** int32 */
  readonly tokens: tf.Tensor2D;
  readonly ensemble: tf.Tensor2D;
  readonly final: tf.Tensor2D;
  /** Every token whose z~ is above this is among them; above every logit where they did not fit, [P, 1]. */
  readonly complete: tf.Tensor2D;
}

export interface DeviceSearch {
  /** Labels, z^L and z~ of them, [P, 3]. */
  readonly labels: tf.Tensor2D;
  /** How many tokens of a row are kept. */
  readonly capacity: number;
  /** log phi, less how far the threshold may fall from where the part of the vocabulary that has been seen puts it. */
  readonly logScale: number;
  readonly usesEnsemble: boolean;
}

/** `streamExpectations` by one kernel, which keeps the candidates on the device too. */
export function streamOnDevice(
  head: VocabularyProjection,
  { final, students, ensemble }: StreamedRows,
  search: DeviceSearch | null,
  expected: 'none' | 'final' | 'all',
): DeviceExpectations {
  const numFinal = final.shape[0];
  const numDirect = numFinal + (students?.shape[0] ?? 0);
  const hidden = tf.concat(
    [final, students, search === null ? null : ensemble].filter((rows) => rows !== null),
    0,
  );
  const [firstLayer, layers] = ensemble === null ? [numFinal, numDirect / numFinal - 1] : [numDirect, 1];
  const numExpected = { none: 0, final: numFinal, all: numDirect }[expected];
  const width = tileWidth(hidden.shape[0], vocabSizeOf(head), hiddenSizeOf(head));
  const place = { width, numDirect, firstLayer, layers, numExpected };
  const rule =
    search === null
      ? null
      : { capacity: search.capacity, logScale: search.logScale, usesEnsemble: search.usesEnsemble ? 1 : 0 };
  const [softmax, ...found] = runHeadKernel(
    'ILRecReadHead',
    head,
    { hidden, ...(search === null ? {} : { labels: search.labels }) },
    { ...place, ...rule },
  ) as tf.Tensor2D[];
  const [largest, sums] = tf.split(softmax, 3, 1);
  const normalisers = tf.add(largest, tf.log(sums)) as tf.Tensor2D;
  const part = (begin: number, count: number): tf.Tensor2D => tf.slice(normalisers, [begin, 0], [count, 1]);
  const rows = numExpected > 0 ? found[0] : null;
  const [tokens, z, zFinal, progress] = found.slice(numExpected > 0 ? 1 : 0);
  return {
    final: part(0, numFinal),
    students: students === null ? null : part(numFinal, numDirect - numFinal),
    all: part(0, numDirect),
    ensemble: search === null ? null : part(numDirect, numFinal),
    rows,
    candidates:
      search === null
        ? null
        : { tokens, ensemble: z, final: zFinal, complete: tf.slice(progress, [0, 1], [numFinal, 1]) },
  };
}
