import * as tf from '@tensorflow/tfjs-core';
import { addLora, type CausalLMConfig, ilrec } from 'tfjs-ilrec';
import { disposeModel } from '../../src/models/dispose_model';
import { bodyFlops, headFlops } from '../flops';
import { type BenchCase, type BenchRow, ceiling, paired, row } from '../harness';
import { type BatchSizes, benchModel, learn, randomBatch, sft, standingOptimizer, trainingStep } from '../models';

const [T, D, L, K, RANK] = [512, 256, 6, 4, 8];
const PROJECTIONS = /^layers_\d+\//;

interface Setting {
  readonly vocabSize: number;
  readonly batchSize: number;
  readonly response: number;
  /** null: all weights are trained. */
  readonly rank: number | null;
  readonly trained: boolean;
}

const SETTINGS: readonly Setting[] = [
  { vocabSize: 32_000, batchSize: 2, response: 5, rank: RANK, trained: false },
  { vocabSize: 32_000, batchSize: 2, response: 20, rank: RANK, trained: false },
  { vocabSize: 32_000, batchSize: 2, response: 20, rank: RANK, trained: true },
  { vocabSize: 32_000, batchSize: 2, response: 20, rank: null, trained: false },
  { vocabSize: 128_000, batchSize: 1, response: 5, rank: RANK, trained: false },
  { vocabSize: 128_000, batchSize: 1, response: 20, rank: RANK, trained: false },
  { vocabSize: 128_000, batchSize: 1, response: 20, rank: RANK, trained: true },
];

export const benchCase: BenchCase = {
  names: ['S1'],
  backends: ['wasm', 'node'],
  async run(backend) {
    const rows: BenchRow[] = [];
    for (const setting of SETTINGS) rows.push(await measure(backend, setting));
    return rows;
  },
};

/** Two models of the same weights, one with each method; nothing is learnt while they are timed. */
async function measure(backend: string, { vocabSize, batchSize, response, rank, trained }: Setting): Promise<BenchRow> {
  const model: CausalLMConfig = { vocabSize, hiddenSize: D, numHiddenLayers: L };
  const sizes: BatchSizes = { batchSize, sequenceLength: T, response };
  const batch = randomBatch(vocabSize, sizes);
  const methods = [ilrec({ numNegativeLayers: K }), sft()];
  const models = methods.map(() => benchModel(model));
  const learnt = trained ? learn(models[0], batch) : null;
  if (trained) models[1].setWeights(models[0].getWeights());
  const optimizers = methods.map(standingOptimizer);
  const [ours, other] = methods.map((method, i) => {
    if (rank !== null) addLora(models[i], { rank, targets: PROJECTIONS });
    method.attach(models[i]);
    return trainingStep({ model: models[i], lossOf: method.lossOf, batch, optimizer: optimizers[i] });
  });

  const steps = { model, rank, ...sizes };
  const body = bodyFlops(steps);
  const expected = (body + headFlops(steps, 1 + K)) / (body + headFlops(steps, 1));
  const times = await paired(ours, other, { warmups: 1 });
  const negatives = (await methods[0].diagnostics())?.numNegatives ?? NaN;
  const peak = ceiling();
  methods.forEach((method) => method.detach());
  optimizers.forEach((optimizer) => optimizer.dispose());
  models.forEach(disposeModel);
  tf.dispose([batch.ids, batch.labels]);

  const weights = `${trained ? 'trained' : 'fresh'} model, ${rank === null ? 'all weights' : `LoRA of rank ${rank}`}`;
  const sizesText = `V ${vocabSize / 1000}k, B ${batchSize}, T ${T}, ${response} response tokens a row`;
  const scaled = times.ratio / expected;
  return row({
    name: 'S1',
    what: '(ILRec step / SFT step) / the same by operations',
    setting: `${weights}, ${sizesText}`,
    backend,
    ours: times.ours,
    other: times.other,
    unit: 'ms',
    ratio: scaled,
    quartiles: [times.quartiles[0] / expected, times.quartiles[1] / expected],
    goal: ['<=', 1.15],
    stretch: ['<=', 1.05],
    ceiling: peak,
    note: `${backend}, ${weights}, ${sizesText}: measured ${times.ratio.toFixed(3)}, by operations ${expected.toFixed(3)}; mean |N_t| ${negatives.toFixed(0)}${learnt === null ? '' : ` at a label cross-entropy of ${learnt.toFixed(2)}`}`,
  });
}
