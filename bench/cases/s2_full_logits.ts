import * as tf from '@tensorflow/tfjs-core';
import { addLora, ilrec } from 'tfjs-ilrec';
import { disposeModel } from '../../src/models/dispose_model';
import { type BenchCase, type BenchRow, ceiling, paired, row } from '../harness';
import { benchModel, fullLogitLoss, onLogits, randomBatch, sft, standingOptimizer, trainingStep } from '../models';

const [B, T, D, L, RESPONSE] = [1, 512, 256, 6, 20];
const RANK = 8;

export const benchCase: BenchCase = {
  names: ['S2'],
  backends: ['wasm', 'node'],
  async run(backend) {
    const rows: BenchRow[] = [];
    for (const [vocabSize, isAdapted] of [
      [32_000, true],
      [32_000, false],
      [128_000, true],
    ] as const)
      rows.push(await measure(backend, vocabSize, isAdapted));
    return rows;
  },
};

async function measure(backend: string, vocabSize: number, isAdapted: boolean): Promise<BenchRow> {
  const batch = randomBatch(vocabSize, { batchSize: B, sequenceLength: T, response: RESPONSE });
  const models = [0, 1].map(() => {
    const model = benchModel({ vocabSize, hiddenSize: D, numHiddenLayers: L });
    if (isAdapted) addLora(model, { rank: RANK, targets: /^layers_\d+\// });
    return model;
  });
  const optimizers = models.map(standingOptimizer);
  const method = ilrec();
  method.attach(models[0]);
  const ours = trainingStep({ model: models[0], lossOf: method.lossOf, batch, optimizer: optimizers[0] });
  const other = trainingStep({
    model: models[1],
    lossOf: onLogits(models[1], fullLogitLoss),
    batch,
    optimizer: optimizers[1],
  });
  const times = await paired(ours, other);

  const labelOnly = sft();
  labelOnly.attach(models[0]);
  const labelLoss = trainingStep({ model: models[0], lossOf: labelOnly.lossOf, batch, optimizer: optimizers[0] })();
  const error = Math.abs(labelLoss / other() - 1);
  labelOnly.detach();
  optimizers.forEach((optimizer) => optimizer.dispose());
  models.forEach(disposeModel);
  tf.dispose([batch.ids, batch.labels]);
  return row({
    name: 'S2',
    what: 'ILRec step / SFT step that makes all logits',
    setting: `V ${vocabSize / 1000}k, B ${B}, T ${T}, D ${D}, L ${L}, ${RESPONSE} response tokens, ${isAdapted ? `LoRA of rank ${RANK}` : 'all weights'}`,
    backend,
    ...times,
    unit: 'ms',
    goal: ['<', 1],
    stretch: ['<=', 0.5],
    ceiling: ceiling(),
    error,
    note: 'error: cross-entropy of the response rows alone against that of all logits with a mask',
  });
}
