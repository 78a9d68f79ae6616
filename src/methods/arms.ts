import type * as tfl from '@tensorflow/tfjs-layers';
import { DEFAULT_MAX_HISTORY, type MethodConfig, type TrainConfig, type TrainingConfig } from '../config/train_config';
import { beamSearchRecommender, type Recommender, scorerRecommender } from '../evaluation/recommenders';
import { historyPrompt } from '../generation/history_prompt';
import type { PrefixTrie } from '../generation/prefix_trie';
import { ilrec, type Coefficient, type IlrecMethod } from '../ilrec/ilrec';
import { causalLM } from '../models/causal_lm';
import { createCausalDecoder } from '../models/causal_lm_decoder';
import type { ItemScorer } from '../models/item_scorer';
import { sasrec } from '../models/sasrec';
import { sasrecLoss } from '../models/sasrec_loss';
import { sasrecScorer } from '../models/sasrec_scorer';
import { trieReward } from '../rewards/trie_reward';
import { type Batches, createBatches } from '../training/batches';
import type { TrainingMethod } from '../training/train_model';
import type { TrainingData } from './training_data';

/** A model, how it is trained and how it recommends: what the runner needs of a trained method. */
export interface Arm {
  readonly model: tfl.LayersModel;
  readonly method: TrainingMethod;
  readonly batches: Batches;
  readonly training: TrainingConfig;
  /** Makes lists from histories with the model as it is now. */
  recommender(histories: readonly ArrayLike<number>[]): Recommender;
  /** Writes the trained model into the run, in another form than tfjs's own. */
  save?(run: string): Promise<void>;
  /** Frees what is not the model's own. */
  dispose?(): void;
}

/** How a language model names items and is asked for them. */
export interface ItemCode {
  /** The prompt that asks for the item after a history. */
  readonly prompt: (history: ArrayLike<number>) => ArrayLike<number>;
  readonly trie: PrefixTrie;
  /** Training interactions of each item, [N]. */
  readonly itemCounts: ArrayLike<number>;
  /** Token ids that items are made of. */
  readonly responseTokens: readonly number[];
  /** The history of a prompt; where it is absent, prompts are items' tokens and are read as such. */
  readonly historyOf?: (prompt: Int32Array) => readonly number[] | null;
}

/** A decoder of the config's shape over semantic ids. */
export function semanticIdModel({ model, seed }: TrainConfig, { tokenizer }: TrainingData): tfl.LayersModel {
  return causalLM({ vocabSize: tokenizer.vocabSize, padTokenId: undefined, ...model, seed });
}

/**
 * A causal language model over semantic ids.
 *
 * @param model of `semanticIdModel`.
 * @param terms false for plain response-only cross-entropy (SFT).
 * @param reward the collaborative model behind ILRec's reward, null for none.
 */
export function languageModelArm(
  config: TrainConfig,
  data: TrainingData,
  model: tfl.LayersModel,
  { terms, reward }: { terms: boolean; reward: ItemScorer | null },
): Arm {
  const { training, seed } = config;
  const { tokenizer, split } = data;
  const batches = createBatches({
    ...batchOptions(training, seed),
    sequences: split.train,
    itemTokens: tokenizer.itemTokens,
    bosTokenId: tokenizer.bosTokenId,
    padTokenId: tokenizer.padTokenId,
  });
  const totalSteps = training.epochs * batches.stepsPerEpoch;
  const code = semanticIdCode(config, data);
  const method = trainingMethod(config.method, code, { terms, reward, totalSteps });
  return {
    model,
    method,
    batches,
    training,
    recommender: (histories) => languageModelRecommender(model, config, code, histories),
  };
}

/** Semantic ids in a vocabulary of their own. */
export function semanticIdCode(
  { training }: TrainConfig,
  { tokenizer, trie, itemCounts }: Pick<TrainingData, 'trie' | 'tokenizer' | 'itemCounts'>,
): ItemCode {
  const firstItemToken = tokenizer.eosTokenId + 1;
  const responseTokens = Array.from({ length: tokenizer.vocabSize - firstItemToken }, (_, i) => firstItemToken + i);
  return {
    prompt: (history) => historyPrompt(tokenizer, history, training.maxHistory),
    trie,
    itemCounts,
    responseTokens,
  };
}

/** Beam search with a language model, as the config asks. */
export function languageModelRecommender(
  model: tfl.LayersModel,
  { training, evaluation }: TrainConfig,
  { trie, prompt, itemCounts }: ItemCode,
  histories: readonly ArrayLike<number>[],
): Recommender {
  const { beamWidth, renormalize, excludeSeen } = evaluation;
  const decoder = createCausalDecoder(model);
  return beamSearchRecommender({
    decoder,
    trie,
    prompt,
    itemCounts,
    histories,
    maxHistory: training.maxHistory,
    beamWidth,
    renormalize,
    excludeSeen,
  });
}

/** Full ranking with a model that scores items, as the config asks. */
export function itemScorerRecommender(
  scorer: ItemScorer,
  { training, evaluation }: TrainConfig,
  histories: readonly ArrayLike<number>[],
): Recommender {
  return scorerRecommender({ scorer, histories, maxHistory: training.maxHistory, excludeSeen: evaluation.excludeSeen });
}

/** SASRec over item numbers. */
export function sasrecArm(config: TrainConfig, { split, numItems }: TrainingData): Arm {
  const { training: overrides, ...shape } = config.sasrec;
  const training: TrainingConfig = { ...config.training, initialWeights: undefined, ...overrides }; // other weights than the language model's
  const model = sasrec({
    numItems,
    maxHistory: training.maxHistory ?? DEFAULT_MAX_HISTORY,
    ...shape,
    seed: config.seed,
  });
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
  return {
    model,
    method: { loss: sasrecLoss(model) },
    batches,
    training,
    recommender: (histories) => itemScorerRecommender(scorer, { ...config, training }, histories),
  };
}

function batchOptions(
  { batching, batchSize, maxHistory, trainFirstItem }: TrainingConfig,
  seed: number,
): Pick<Parameters<typeof createBatches>[0], 'batching' | 'batchSize' | 'maxHistory' | 'trainFirstItem' | 'seed'> {
  return { batching, batchSize, maxHistory, trainFirstItem, seed };
}

/** ILRec as the config asks, or plain response-only cross-entropy (SFT) without its terms. */
export function trainingMethod(
  config: MethodConfig,
  code: ItemCode,
  { terms, reward, totalSteps }: { terms: boolean; reward: ItemScorer | null; totalSteps: number },
): IlrecMethod {
  if (!terms) return ilrec({ penaltyWeight: 0, distillationWeight: 0, rewardWeight: 0 });
  const {
    distillItemTokens,
    reward: _,
    rewardRun: __,
    rewardTemperature,
    weightWarmupRatio,
    rewardWeight,
    ...options
  } = config;
  const { trie, responseTokens, historyOf } = code;
  const warmupSteps = Math.round(weightWarmupRatio * totalSteps);
  const warmed = (value: number): Coefficient =>
    value === 0 || warmupSteps === 0 ? value : (step) => value * Math.min(1, step / warmupSteps);
  return ilrec({
    ...options,
    penaltyWeight: warmed(options.penaltyWeight),
    distillationWeight: warmed(options.distillationWeight),
    ...(distillItemTokens ? { itemTokens: responseTokens } : {}),
    ...(reward === null
      ? { rewardWeight: 0 }
      : {
          rewardWeight: warmed(rewardWeight),
          reward: trieReward({ scorer: reward, trie, temperature: rewardTemperature, historyOf }),
        }),
  });
}
