import * as tf from '@tensorflow/tfjs-core';
import { AdamW, type CausalLMConfig, registerKernels, unregisterKernels } from 'tfjs-ilrec';
import { disposeModel } from '../../src/models/dispose_model';
import { type BenchCase, type BenchRow, ceiling, paired, row } from '../harness';
import { benchModel, fullLogitLoss, onLogits, randomBatch, sft, trainingStep } from '../models';

const [B, T, L, V, H, RESPONSE] = [4, 128, 4, 8000, 4, 20];
const LEARNING_RATE = 1e-3;

export const benchCase: BenchCase = {
  names: ['S7'],
  backends: ['wasm'],
  async run(backend) {
    const rows: BenchRow[] = [];
    for (const hiddenSize of [128, 256])
      for (const side of ['same', 'usual'] as const) rows.push(await measure(backend, hiddenSize, side));
    registerKernels();
    return rows;
  },
};

/**
 * The same model and weights on both sides, in step. @param side what runs on tfjs's own kernels: `same`, the loss of
 * the response rows and AdamW; `usual`, all logits and tf.train.adam.
 */
async function measure(backend: string, hiddenSize: number, side: 'same' | 'usual'): Promise<BenchRow> {
  registerKernels();
  const config: CausalLMConfig = { vocabSize: V, hiddenSize, numHiddenLayers: L, numAttentionHeads: H };
  const batch = randomBatch(V, { batchSize: B, sequenceLength: T, response: RESPONSE });
  const models = [benchModel(config), benchModel(config)];
  const methods = [sft(), sft()];
  const adamW = (): tf.Optimizer =>
    new AdamW({ learningRate: LEARNING_RATE, epsilon: tf.backend().epsilon(), weightDecay: 0 }); // tf.train.adam's arithmetic
  const optimizers = [adamW(), side === 'same' ? adamW() : tf.train.adam(LEARNING_RATE)];
  methods[0].attach(models[0]);
  if (side === 'same') methods[1].attach(models[1]);
  const ours = trainingStep({ model: models[0], lossOf: methods[0].lossOf, batch, optimizer: optimizers[0] });
  const stock = trainingStep({
    model: models[1],
    lossOf: side === 'same' ? methods[1].lossOf : onLogits(models[1], fullLogitLoss),
    batch,
    optimizer: optimizers[1],
  });

  const losses: [number[], number[]] = [[], []];
  const times = await paired(
    () => {
      unregisterKernels();
      losses[1].push(stock());
    },
    () => {
      registerKernels();
      losses[0].push(ours());
    },
    { warmups: 1 },
  );
  registerKernels();
  const peak = ceiling();
  methods.forEach((method) => method.detach());
  optimizers.forEach((optimizer) => optimizer.dispose());
  models.forEach(disposeModel);
  tf.dispose([batch.ids, batch.labels]);
  return row({
    name: 'S7',
    backend,
    what:
      side === 'same'
        ? 'step on tfjs’s own kernels / ours, same loss and optimizer'
        : 'step as a user of tfjs writes it / ours',
    unit: 'ms',
    setting: `D ${hiddenSize}, T ${T}, B ${B}, L ${L}, V ${V}, ${RESPONSE} response tokens a row`,
    ours: times.other,
    other: times.ours,
    ratio: times.ratio,
    quartiles: times.quartiles,
    goal: ['>=', 4],
    stretch: ['>=', 10],
    ceiling: peak,
    error: Math.max(...losses[0].map((loss, i) => Math.abs(loss / losses[1][i] - 1))),
    note: 'tfjs’s own kernels with UnsortedSegmentSum, which it lacks, from here; error: losses of both sides, step by step from the same weights',
  });
}
