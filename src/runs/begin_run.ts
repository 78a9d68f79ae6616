import type { BuildContext, Method } from '../methods/method';
import type { TrainConfig } from '../methods/train_config';
import { beginMethod, runItems } from '../recommender/run_manifest';
import { type RunManifest, writeManifest } from './manifest';
import { writeConfig, writeItems } from './run_json';

/** Writes everything that is known before training. The manifest comes last, since it says that there is a run. */
export async function beginRun(
  manifest: RunManifest,
  method: Method,
  config: TrainConfig,
  context: BuildContext,
): Promise<void> {
  const { folder } = context.files;
  await writeConfig(folder, config);
  await beginMethod(method, context);
  await writeItems(folder, runItems(context));
  await writeManifest(folder, manifest);
}
