import type { FusionConfig } from '../config/shared_config';
import { IlrecError } from '../errors';
import type { Fusion } from '../evaluation/fusion';
import type { AskedModel, BuildContext } from '../methods/method';
import type { ItemScorer } from '../models/item_scorer';
import type { NeededModel } from './baselines';
import type { RunFusion } from './run_manifest';
import { validateModel } from './validation';

/** Weights that are tried on the validation users: 0, 0.1, ..., 1. */
const WEIGHTS = Array.from({ length: 11 }, (_, i) => i / 10);

/** @throws IlrecError when the weight is to be chosen and there is nothing to choose it on. */
export function refuseUnvalidatedFusion(fusion: FusionConfig, validationUsers: number): void {
  if (fusion?.weight === 'auto' && validationUsers === 0)
    throw new IlrecError(
      'trainRun: evaluation.fusion.weight must be a number where no validation users choose it, got auto; set ' +
        'training.validationUsers, or a weight from 0 to 1',
    );
}

/**
 * The weight of a trained model beside another one: the config's, or that of the highest NDCG@10 on the validation
 * users. Of equal weights the highest, which changes the lists least.
 *
 * @param other a model that scores items.
 * @param users of the validation sample.
 */
export async function settleFusion(
  model: Pick<AskedModel, 'recommender'>,
  context: Pick<BuildContext, 'config' | 'data'>,
  { method, model: { scorer } }: NeededModel,
  { weight, run, kind }: NonNullable<FusionConfig>,
  users: number,
): Promise<RunFusion> {
  const named = { method, run: run ?? null };
  if (weight !== 'auto') return { ...named, weight };
  if (scorer === null) throw new Error(`settleFusion: ${method} scores no items`); // a need that scores items
  const validation: { weight: number; 'ndcg@10': number }[] = [];
  for (const one of WEIGHTS) {
    const measured = await validateModel(model, context, users, { scorer, kind, weight: one });
    validation.push({ weight: one, 'ndcg@10': measured['ndcg@10'] });
  }
  const best = validation.reduce((first, one) => (one['ndcg@10'] >= first['ndcg@10'] ? one : first));
  return { ...named, weight: best.weight, validation };
}

/** @throws IlrecError when the other run does not score the same items. */
export function fusionWith(
  { scorer, folder }: { readonly scorer: ItemScorer | null; readonly folder: string },
  numItems: number,
  kind: Fusion['kind'],
  weight: number,
): Fusion {
  if (scorer === null || scorer.numItems !== numItems)
    throw new IlrecError(
      `loadRun: evaluation.fusion must name a model that scores the run's ${numItems} items, got ` +
        `${scorer === null ? 'one that scores none' : scorer.numItems} at ${folder}`,
    );
  return { scorer, weight, kind };
}
