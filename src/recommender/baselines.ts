import type { Evaluation } from '../callbacks/early_stopping';
import type { AskedModel, BuildContext } from '../methods/method';
import { COUNTING_METHODS } from '../methods/registry';
import { sectionOf, type TrainConfig } from '../methods/train_config';
import { validateModel } from './validation';

/** The metrics of simple models on the validation users, by the name of their method, in the order of the tables. */
export type Baselines = Readonly<Record<string, Evaluation>>;

/** A finished model that another method is trained with. */
export interface NeededModel {
  /** The name of its method. */
  readonly method: string;
  readonly model: AskedModel;
}

/**
 * Measures what a trained model should be ahead of: the package's methods that only count, which takes milliseconds,
 * and the needed models that score all items at once.
 *
 * @param users of the validation sample, 1 or more.
 */
export async function measureBaselines(
  context: BuildContext & { readonly config: TrainConfig },
  needed: readonly NeededModel[],
  users: number,
): Promise<Baselines> {
  const found: Record<string, Evaluation> = {};
  for (const method of COUNTING_METHODS) {
    const counted = await method.build({ ...context, section: sectionOf(context.config, method) });
    found[method.name] = await validateModel(counted, context, users).finally(() => counted.dispose());
  }
  for (const { method, model } of needed)
    if (model.scorer !== null) found[method] ??= await validateModel(model, context, users);
  return found;
}
