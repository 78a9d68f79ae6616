import type * as tfl from '@tensorflow/tfjs-layers';
import { expect } from 'chai';
import { checkpointing } from '../../src/callbacks/checkpointing';
import { EarlyStopping } from '../../src/callbacks/early_stopping';
import { CheckpointStore } from '../../src/checkpoints/checkpoint_store_node';
import type { SnapshotStore } from '../../src/checkpoints/snapshot_store';
import { readWeights, takeSnapshot } from '../../src/checkpoints/training_snapshot';
import { ilrec } from '../../src/ilrec/ilrec';
import { causalLM } from '../../src/models/causal_lm';
import { AdamW } from '../../src/optimizers/adamw';
import { createBatches } from '../../src/training/batches';
import { resumeFrom } from '../../src/callbacks/resume_from';
import { batchDataset } from '../../src/training/batch_dataset';
import { trainModel } from '../../src/training/train_model';
import type { TrainingState } from '../../src/training/training_callback';
import { forEachBackend } from '../support/backends';
import { temporaryFolder } from '../support/folders';
import { integers } from '../support/random';

const sequences = Array.from({ length: 13 }, (_, user) => Array.from(integers(3 + (user % 4), 7, user)));
const itemTokens = Array.from({ length: 7 }, (_, item) => [3 + (item % 3), 6 + item]);
const batches = createBatches({ sequences, itemTokens, batchSize: 5, seed: 3 }); // 3 steps an epoch

describe('resumeFrom', () => {
  forEachBackend(() => {
    const folder = temporaryFolder();

    it('leaves a run that ran out of patience at its end, with the best weights', async () => {
      const store = new CheckpointStore(folder.path);
      const first = await train(store, { values: [0.2, 0.3, 0.1], patience: 1, epochs: 7 });
      expect(first.steps).to.deep.equal([1, 2, 3, 4, 5, 6, 7, 8, 9]);
      const again = await train(store, { values: [], patience: 1, epochs: 7 });
      expect(again.steps).to.deep.equal([]);
      expect(again.state).to.deep.include({ step: 9, stopped: true });
      expect(await readWeights(again.model)).to.deep.equal(await readWeights(first.model));
    });

    it('continues plain fitDataset with the same numbers: weights, optimizer, schedules and dropout masks', async () => {
      const store = new CheckpointStore(folder.path);
      const make = () => {
        const model = newModel();
        const coefficient = (step: number): number => step / 10;
        const method = ilrec({ penaltyWeight: coefficient, distillationWeight: coefficient });
        return { model, method, optimizer: newOptimizer() };
      };
      const fit = async ({ model, method, optimizer }: ReturnType<typeof make>, startStep: number, epochs: number) => {
        model.compile({ optimizer, loss: method.loss });
        const initialEpoch = Math.floor(startStep / batches.stepsPerEpoch);
        const dataset = batchDataset(batches, { startStep });
        const callbacks = [method.callback];
        return (await model.fitDataset(dataset, { epochs, initialEpoch, verbose: 0, callbacks })).history.loss;
      };
      const whole = await fit(make(), 0, 3);
      const first = make();
      const begun = await fit(first, 0, 1);
      await store.save(await takeSnapshot(first.model, first.optimizer, batches.stepsPerEpoch, {}));
      const second = make();
      const startStep = await resumeFrom(store, second);
      expect([startStep, second.method.step]).to.deep.equal([3, 3]);
      expect([...begun, ...(await fit(second, startStep, 3))]).to.deep.equal(whole);
    });

    it('puts the best weights back where all steps were done', async () => {
      const store = new CheckpointStore(folder.path);
      const first = await train(store, { values: [0.3, 0.2], patience: 5, epochs: 2 });
      const again = await train(store, { values: [], patience: 5, epochs: 2 });
      expect(again.steps).to.deep.equal([]);
      expect(again.state).to.deep.include({ step: 6, epoch: 1, stopped: false });
      expect(await readWeights(again.model)).to.deep.equal(await readWeights(first.model));
    });
  });
});

function newModel(): tfl.LayersModel {
  return causalLM({
    vocabSize: 13,
    hiddenSize: 8,
    numHiddenLayers: 2,
    numAttentionHeads: 2,
    hiddenDropout: 0.2,
    seed: 1,
  });
}

function newOptimizer(): AdamW {
  return new AdamW({ learningRate: 0.01, clipNorm: 1 });
}

interface Trained {
  readonly model: tfl.LayersModel;
  readonly state: TrainingState;
  readonly steps: number[];
}

/** As a page does it, each time it is opened. @param values what the evaluations give. */
async function train(
  store: SnapshotStore,
  { values, patience, epochs }: { values: number[]; patience: number; epochs: number },
): Promise<Trained> {
  const model = newModel();
  const [method, optimizer] = [ilrec(), newOptimizer()];
  const left = [...values];
  const earlyStopping = new EarlyStopping({ patience, evaluate: async () => ({ 'ndcg@10': left.shift() ?? NaN }) });
  const startStep = await resumeFrom(store, { model, optimizer, method, earlyStopping });
  const steps: number[] = [];
  const callbacks = [
    { onStep: ({ step }: { step: number }) => void steps.push(step) },
    earlyStopping,
    checkpointing({ store, earlyStopping }),
  ];
  const state = await trainModel({ model, method, optimizer, batches, epochs, startStep, callbacks });
  return { model, state, steps };
}
