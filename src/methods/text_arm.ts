import type { TrainConfig } from '../config/train_config';
import { buildPrefixTrie } from '../generation/prefix_trie';
import type { ItemScorer } from '../models/item_scorer';
import type { MemoryRequest } from '../pretrained/memory_estimate';
import type { MemoryLimit } from '../pretrained/memory_limit';
import { refuseAboveMemory } from '../pretrained/refuse_above_memory';
import type { ItemLanguage } from '../prompts/item_language';
import { type Arm, type ItemCode, languageModelRecommender, trainingMethod } from './arms';
import { promptBatches } from '../training/prompt_batches';
import type { TextModel } from './text_model_node';
import type { TrainingData } from './training_data';

/** Items as a text language names them. */
export function textCode(
  { itemTokens, responseTokens, prompt, historyOf }: ItemLanguage,
  itemCounts: ArrayLike<number>,
): ItemCode {
  return { prompt, historyOf, trie: buildPrefixTrie(itemTokens), itemCounts, responseTokens };
}

/**
 * A language model over text: prompts and responses of the language's tasks, the response alone is learned.
 *
 * @param terms false for plain response-only cross-entropy (SFT).
 * @param reward the collaborative model behind ILRec's reward, null for none.
 */
export function textArm(
  config: TrainConfig,
  data: TrainingData,
  text: TextModel,
  { terms, reward }: { terms: boolean; reward: ItemScorer | null },
): Arm {
  const { training, seed } = config;
  const { model, language } = text;
  const batches = promptBatches({
    examples: (epoch) => language.examples(data.split.train, { seed, epoch }),
    padTokenId: language.padTokenId,
    batchSize: training.batchSize,
    seed,
  });
  const totalSteps = training.epochs * batches.stepsPerEpoch;
  const code = textCode(language, data.itemCounts);
  const method = trainingMethod(config.method, code, { terms, reward, totalSteps });
  return {
    model,
    method,
    batches,
    training,
    recommender: (histories) => languageModelRecommender(model, config, code, histories),
  };
}

/**
 * Refuses a training whose largest batch would not fit, before its first step.
 *
 * @param limit what is left now, with the model loaded.
 * @throws IlrecError with the bytes of each part and what would fit.
 */
export function refuseLargeTraining(
  config: TrainConfig,
  data: TrainingData,
  { model, language, adapter }: TextModel,
  limit: MemoryLimit,
  terms: boolean,
): void {
  const { training, backbone, method, seed } = config;
  const examples = language.examples(data.split.train, { seed, epoch: 0 });
  let [longest, response] = [0, 0];
  for (let i = 0; i < examples.length; i++) {
    longest = Math.max(longest, examples.lengthOf(i) - 1);
    response = Math.max(response, examples.at(i).response.length);
  }
  const lora =
    adapter === null
      ? undefined
      : {
          rank: adapter.config.rank,
          targets: adapter.pairs.map(({ site }) => site.path),
          trainModules: adapter.modules.map(({ base }) => base.originalName),
        };
  const batchSize = Math.min(training.batchSize, examples.length);
  const request: MemoryRequest = {
    model,
    mode: 'training',
    batchSize,
    sequenceLength: longest,
    responsePositions: batchSize * response,
    numNegativeLayers: terms ? method.numNegativeLayers : 0,
    lora,
    gradientCheckpointing: backbone.gradientCheckpointing,
    optimizer: 'adamw',
  };
  refuseAboveMemory(request, { limit, caller: 'trainRun' });
}
