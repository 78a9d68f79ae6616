import type { Evaluation } from '../callbacks/early_stopping';
import { evaluateRecommender } from '../evaluation/evaluate_ranking';
import type { Recommender } from '../evaluation/recommenders';
import type { TrainingData } from '../methods/training_data';

/** The validation sample is the same for all seeds and methods. */
const VALIDATION_SEED = 0;

/** The metrics that training reports. */
const REPORTED = ['ndcg@10', 'hr@10', 'ndcg@5', 'hr@5', 'mrr@10'] as const;

/**
 * Measures a recommender on a seeded sample of validation users, without intervals.
 *
 * @param batchSize users at once.
 * @param users 1 or more; all where there are fewer.
 */
export async function validate(
  recommenderOf: (histories: readonly Int32Array[]) => Recommender,
  batchSize: number,
  users: number,
  { split }: TrainingData,
): Promise<Evaluation> {
  const { histories, targets } = split.valid;
  const result = await evaluateRecommender({
    ...recommenderOf(histories),
    targets,
    split: 'valid',
    holdOut: split.holdOut,
    users: Math.min(users, targets.length),
    batchSize,
    seed: VALIDATION_SEED,
    resamples: 1,
  });
  return Object.fromEntries(REPORTED.map((name) => [name, result[name]]));
}
