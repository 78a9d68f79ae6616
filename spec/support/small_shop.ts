import { type TrainConfig, type TrainConfigInput, parseTrainConfig } from '../../src/methods/train_config';
import { writePrepared } from '../../src/preparation/prepared_folder_node';
import { prepareInteractions } from '../../src/preparation/prepare';
import { demoCatalogue } from '../../src/data/demo_catalogue';

/** A prepared folder with 40 items and 30 users, generated. */
export async function writeSmallShop(folder: string): Promise<void> {
  await writePrepared(
    prepareInteractions(demoCatalogue({ numItems: 40, numUsers: 30, seed: 3 }), {}, 'generated'),
    folder,
  );
}

/** A model and a training that take a second. */
export function smallConfig(changes: TrainConfigInput = {}): TrainConfig {
  const { method, sasrec, methods, ...shared } = changes;
  return parseTrainConfig({
    ...shared,
    model: { hiddenSize: 8, numHiddenLayers: 2, numAttentionHeads: 2, hiddenDropout: 0.1, ...changes.model },
    methods: {
      ...methods,
      ilrec: { reward: 'markov', rewardWeight: 0.1, rewardModels: 1, epochsRatio: 1, ...method, ...methods?.ilrec },
      sasrec: { hiddenSize: 8, numHiddenLayers: 1, ...sasrec, ...methods?.sasrec },
    },
    training: {
      epochs: 2,
      batchSize: 8,
      learningRate: 0.01,
      maxHistory: 6,
      validationUsers: 10,
      checkpointEverySeconds: 0,
      ...changes.training,
    },
    evaluation: { beamWidth: 5, batchSize: 16, ...changes.evaluation },
  });
}
