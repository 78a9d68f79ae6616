import type { Evaluation } from '../callbacks/early_stopping';
import { evaluateRecommender } from '../evaluation/evaluate_ranking';
import type { Fusion } from '../evaluation/fusion';
import type { AskedModel, BuildContext } from '../methods/method';

/** The validation sample is the same for all seeds and methods. */
const VALIDATION_SEED = 0;

/** The metrics that training reports. */
const REPORTED = ['ndcg@10', 'hr@10', 'ndcg@5', 'hr@5', 'mrr@10'] as const;

/**
 * Measures a model on a seeded sample of validation users, without intervals.
 *
 * @param users 1 or more; all where there are fewer.
 * @param fusion another model whose scores count. Default none.
 */
export async function validateModel(
  model: Pick<AskedModel, 'recommender'>,
  { config: { evaluation }, data: { split } }: Pick<BuildContext, 'config' | 'data'>,
  users: number,
  fusion?: Fusion,
): Promise<Evaluation> {
  const { histories, targets } = split.valid;
  const result = await evaluateRecommender({
    ...model.recommender(histories, { ...evaluation, fusion }),
    targets,
    split: 'valid',
    holdOut: split.holdOut,
    users: Math.min(users, targets.length),
    batchSize: evaluation.batchSize,
    seed: VALIDATION_SEED,
    resamples: 1,
  });
  return Object.fromEntries(REPORTED.map((name) => [name, result[name]]));
}
