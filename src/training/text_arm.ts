import type { TrainConfig } from '../config/train_config';
import { buildPrefixTrie } from '../generation/prefix_trie';
import type { ItemScorer } from '../models/item_scorer';
import type { ItemLanguage } from '../prompts/item_language';
import { type Arm, type ItemCode, languageModelRecommender, trainingMethod } from './arms';
import { promptBatches } from './prompt_batches';
import type { TextModel } from './text_model_node';
import type { TrainingData } from './training_data';

/** Items as a text language names them. */
export function textCode({ itemTokens, responseTokens, prompt, historyOf }: ItemLanguage, itemCounts: ArrayLike<number>): ItemCode {
  return { prompt, historyOf, trie: buildPrefixTrie(itemTokens), itemCounts, responseTokens };
}

/**
 * A language model over text: prompts and responses of the language's tasks, the response alone is learned.
 *
 * @param terms false for plain response-only cross-entropy (SFT).
 * @param reward the collaborative model behind ILRec's reward, null for none.
 */
export function textArm(config: TrainConfig, data: TrainingData, text: TextModel, { terms, reward }: { terms: boolean; reward: ItemScorer | null }): Arm {
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
  return { model, method, batches, training, recommender: (histories) => languageModelRecommender(model, config, code, histories) };
}
