import type * as tfl from '@tensorflow/tfjs-layers';
import { DEFAULT_MAX_HISTORY, type MethodConfig, type TrainConfig, type TrainingConfig } from '../config/train_config';
import { beamSearchRecommender, type Recommender, scorerRecommender } from '../evaluation/recommenders';
import { ilrec, type Coefficient } from '../ilrec';
import { causalLM } from '../models/causal_lm';
import { createCausalDecoder } from '../models/causal_lm_decoder';
import type { ItemScorer } from '../models/item_scorer';
import { sasrec } from '../models/sasrec';
import { sasrecLoss } from '../models/sasrec_loss';
import { sasrecScorer } from '../models/sasrec_scorer';
import { trieReward } from '../rewards/trie_reward';
import { type Batches, createBatches } from './batches';
import type { TrainingMethod } from './train_model';
import type { TrainingData } from './training_data';

/** A model, how it is trained and how it recommends: what the runner needs of a trained method. */
export interface Arm {
  readonly model: tfl.LayersModel;
  readonly method: TrainingMethod;
  readonly batches: Batches;
  readonly training: TrainingConfig;
  /** Makes lists from histories with the model as it is now. */
  recommender(histories: readonly ArrayLike<number>[]): Recommender;
}

/**
 * A causal language model over semantic ids.
 *
 * @param terms false for plain response-only cross-entropy (SFT).
 * @param reward the collaborative model behind ILRec's reward, null for none.
 */
export function languageModelArm(config: TrainConfig, data: TrainingData, { terms, reward }: { terms: boolean; reward: ItemScorer | null }): Arm {
  const { training, seed } = config;
  const { tokenizer, split } = data;
  const model = causalLM({ vocabSize: tokenizer.vocabSize, padTokenId: undefined, ...config.model, seed });
  const batches = createBatches({
    ...batchOptions(training, seed),
    sequences: split.train,
    itemTokens: tokenizer.itemTokens,
    bosTokenId: tokenizer.bosTokenId,
    padTokenId: tokenizer.padTokenId,
  });
  const totalSteps = training.epochs * batches.stepsPerEpoch;
  const method = terms ? ilrecMethod(config.method, data, reward, totalSteps) : ilrec({ penaltyWeight: 0, distillationWeight: 0, rewardWeight: 0 });
  return { model, method, batches, training, recommender: (histories) => languageModelRecommender(model, config, data, histories) };
}

/** Beam search with a language model, as the config asks. */
export function languageModelRecommender(
  model: tfl.LayersModel,
  { training, evaluation }: TrainConfig,
  { trie, tokenizer, itemCounts }: Pick<TrainingData, 'trie' | 'tokenizer' | 'itemCounts'>,
  histories: readonly ArrayLike<number>[],
): Recommender {
  const { beamWidth, renormalize, excludeSeen } = evaluation;
  const decoder = createCausalDecoder(model);
  return beamSearchRecommender({ decoder, trie, tokenizer, itemCounts, histories, maxHistory: training.maxHistory, beamWidth, renormalize, excludeSeen });
}

/** Full ranking with a model that scores items, as the config asks. */
export function itemScorerRecommender(scorer: ItemScorer, { training, evaluation }: TrainConfig, histories: readonly ArrayLike<number>[]): Recommender {
  return scorerRecommender({ scorer, histories, maxHistory: training.maxHistory, excludeSeen: evaluation.excludeSeen });
}

/** SASRec over item numbers. */
export function sasrecArm(config: TrainConfig, { split, numItems }: TrainingData): Arm {
  const { training: overrides, ...shape } = config.sasrec;
  const training: TrainingConfig = { ...config.training, initialWeights: undefined, ...overrides }; // other weights than the language model's
  const model = sasrec({ numItems, maxHistory: training.maxHistory ?? DEFAULT_MAX_HISTORY, ...shape, seed: config.seed });
  const items = Array.from({ length: numItems }, (_, item) => item);
  const batches = createBatches({
    ...batchOptions(training, config.seed),
    sequences: split.train,
    itemTokens: items.map((item) => [item + 1]), // 0 is both start and padding
    itemLabels: items.map((item) => [item]),
    bosTokenId: 0,
    padTokenId: 0,
  });
  const scorer = sasrecScorer(model);
  return { model, method: { loss: sasrecLoss(model) }, batches, training, recommender: (histories) => itemScorerRecommender(scorer, { ...config, training }, histories) };
}

function batchOptions({ batching, batchSize, maxHistory, trainFirstItem }: TrainingConfig, seed: number): Pick<Parameters<typeof createBatches>[0], 'batching' | 'batchSize' | 'maxHistory' | 'trainFirstItem' | 'seed'> {
  return { batching, batchSize, maxHistory, trainFirstItem, seed };
}

function ilrecMethod(config: MethodConfig, { tokenizer, trie }: TrainingData, scorer: ItemScorer | null, totalSteps: number): TrainingMethod {
  const { distillItemTokens, reward: _, rewardRun: __, rewardTemperature, weightWarmupRatio, rewardWeight, ...options } = config;
  const warmupSteps = Math.round(weightWarmupRatio * totalSteps);
  const warmed = (value: number): Coefficient => (value === 0 || warmupSteps === 0 ? value : (step) => value * Math.min(1, step / warmupSteps));
  const firstItemToken = tokenizer.eosTokenId + 1;
  return ilrec({
    ...options,
    penaltyWeight: warmed(options.penaltyWeight),
    distillationWeight: warmed(options.distillationWeight),
    ...(distillItemTokens ? { itemTokens: Array.from({ length: tokenizer.vocabSize - firstItemToken }, (_, i) => firstItemToken + i) } : {}),
    ...(scorer === null ? { rewardWeight: 0 } : { rewardWeight: warmed(rewardWeight), reward: trieReward({ scorer, trie, temperature: rewardTemperature }) }),
  });
}
