import { readJsonFile } from '../files/read_json_node';
import { parseTrainConfig, type TrainConfig } from '../methods/train_config';

/** Reads a config file; without one, every default holds. */
export async function readConfig(path: string | undefined): Promise<TrainConfig> {
  return path === undefined ? parseTrainConfig({}) : parseTrainConfig(await readJsonFile(path, '--config'), path);
}
