import type { TrainingConfig } from '../config/shared_config';
import type { BatchOptions } from '../training/batches';

/** The options of `createBatches` that the config's section `training` holds. */
export function batchOptions(
  { batching, batchSize, maxHistory, trainFirstItem }: TrainingConfig,
  seed: number,
): Pick<BatchOptions, 'batching' | 'batchSize' | 'maxHistory' | 'trainFirstItem' | 'seed'> {
  return { batching, batchSize, maxHistory, trainFirstItem, seed };
}
