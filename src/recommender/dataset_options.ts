import type { SharedConfig } from '../config/shared_config';
import { autoStyleOf } from '../config/style_defaults';
import type { PreparedData } from '../data/types';
import type { ParseTrainConfigOptions } from '../methods/train_config';

/**
 * What the defaults of a config depend on.
 *
 * @param kept the config of a run that is resumed, which keeps its style; null for a new run.
 */
export function datasetOptions(
  { itemIds, sequences }: PreparedData,
  kept: SharedConfig | null,
): Pick<ParseTrainConfigOptions, 'autoStyle' | 'users'> {
  const keptStyle = kept?.items.style === 'items' ? 'items' : 'ids';
  return { autoStyle: kept === null ? autoStyleOf(itemIds.length) : keptStyle, users: sequences.length };
}
