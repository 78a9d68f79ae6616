import { readJsonFile } from '../files/read_json_node';
import { parseTrainConfig, type TrainConfigInput } from '../methods/train_config';

/**
 * Reads and checks a config file; without one, every default holds.
 *
 * @returns what the file says: some defaults depend on the dataset.
 */
export async function readConfig(path: string | undefined): Promise<TrainConfigInput> {
  if (path === undefined) return {};
  const config = await readJsonFile(path, '--config');
  parseTrainConfig(config, path);
  return config as TrainConfigInput;
}
