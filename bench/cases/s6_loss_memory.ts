import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { ilrecObjective, type RMSNorm, type TokenEmbedding } from 'tfjs-ilrec';
import { type BenchCase, type BenchRow, row } from '../harness';
import { lossOfRows, relativeDifference, type RowLoss, rowLoss, type RowLossSizes } from '../models';

const [B, RESPONSE, D, K] = [2, 20, 256, 4];
const VOCAB_SIZES = [32_000, 128_000, 256_000];
/** What src/kernels/wasm keeps on the heap for its products, beside tensors. */
const GEMM_SCRATCH = 320 * 1024;
const DEFAULTS = {
  penaltyWeight: 0.1,
  penalty: 'scale',
  thresholdScale: 1,
  thresholdReference: 'final',
  distillationWeight: 0.1,
  rewardWeight: 0,
} as const;

export const benchCase: BenchCase = {
  names: ['S6'],
  backends: ['wasm', 'node'],
  run: (backend) => {
    const scratch = backend === 'wasm' ? GEMM_SCRATCH : 0;
    const rows: BenchRow[] = [];
    const peaks: number[] = [];
    for (const vocabSize of VOCAB_SIZES) {
      const sizes: RowLossSizes = {
        vocabSize,
        hiddenSize: D,
        numNegativeLayers: K,
        batchSize: B,
        sequenceLength: RESPONSE,
        response: RESPONSE,
      };
      const ours = lossOfRows(sizes);
      const dense = denseLossOf(ours, sizes);
      const [got, wanted] = [ours.run(), dense.run()];
      const [ourPeak, densePeak] = [ours.peak() + scratch, dense.peak() + scratch];
      ours.dispose();
      peaks.push(ourPeak);
      rows.push(
        row({
          name: 'S6',
          what: 'peak of our loss / of the dense one on the same rows',
          setting: `V ${vocabSize / 1000}k, P ${B * RESPONSE}, D ${D}, k ${K}`,
          backend,
          ours: ourPeak,
          other: densePeak,
          unit: 'bytes',
          ratio: ourPeak / densePeak,
          goal: ['<=', 1 / 30],
          stretch: ['<=', 1 / 60],
          error: Math.max(Math.abs(got.loss / wanted.loss - 1), relativeDifference(got.gradients, wanted.gradients)),
          note: `tensors of the loss and its gradients above the hidden states, W left out${scratch > 0 ? `, and the ${scratch / 1024} KiB of scratch that products on wasm keep, on both sides` : ''}; dense: logits of the response rows alone`,
        }),
      );
    }
    const [least, most] = [peaks[0], peaks[peaks.length - 1]];
    rows.push(
      row({
        name: 'S6',
        what: 'peak of our loss at V 256k / at V 32k',
        setting: `P ${B * RESPONSE}, D ${D}, k ${K}`,
        backend,
        ours: most,
        other: least,
        unit: 'bytes',
        ratio: most / least,
        goal: ['<', 1.05],
      }),
    );
    return Promise.resolve(rows);
  },
};

/** The objective on logits by plain products, on the hidden rows of the same body. */
function denseLossOf({ model, batch }: RowLoss, { vocabSize, hiddenSize }: RowLossSizes): RowLoss {
  const embedding = model.getLayer('embed_tokens') as TokenEmbedding;
  const norm = model.getLayer('norm') as RMSNorm;
  const shifts = model.layers.filter(({ name }) => name.startsWith('shift_'));
  const hiddenStates = (): tf.Tensor2D[] => {
    const states: tf.Tensor[] = [];
    let hidden = embedding.apply(batch.ids) as tf.Tensor; // [B, T, D]
    for (const shift of shifts) states.push((hidden = shift.apply(hidden) as tf.Tensor));
    // each row is a response row
    return states.map((state) => tf.reshape(norm.apply(state) as tf.Tensor, [-1, hiddenSize]));
  };
  const logits = (rows: tf.Tensor2D): tf.Tensor2D => tf.matMul(rows, embedding.weight, false, true); // [P, V]
  const loss = (): tf.Scalar =>
    tf.tidy(() => {
      const states = hiddenStates();
      const final = logits(states[states.length - 1]);
      const intermediateLogits = logits(tf.concat(states.slice(0, -1), 0)); // [S * P, V]
      const ensembleLogits = tf.mean<tf.Tensor2D>(
        tf.reshape(stopped(intermediateLogits), [states.length - 1, -1, vocabSize]),
        0,
      ); // [P, V]
      const labels = tf.reshape(batch.labels, [-1]) as tf.Tensor1D;
      return ilrecObjective({ finalLogits: final, ensembleLogits, intermediateLogits, labels, reward: null }, DEFAULTS)
        .total;
    });
  return rowLoss(
    model as tfl.LayersModel,
    batch,
    loss,
    () => tf.tidy(() => void hiddenStates()),
    () => undefined,
  );
}

function stopped(x: tf.Tensor): tf.Tensor {
  return tf.customGrad((...args) => ({
    value: tf.clone(args[0] as tf.Tensor),
    gradFunc: (dy) => tf.zerosLike(dy as tf.Tensor),
  }))(x);
}
