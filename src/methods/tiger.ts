import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import * as z from 'zod';
import { partialWithoutDefaults, positive, rate } from '../config/fields';
import type { SharedConfig, TrainingConfig } from '../config/shared_config';
import { DEFAULT_MAX_HISTORY, trainingSchema } from '../config/training_sections';
import { historyPrompt } from '../generation/history_prompt';
import { crossEntropy } from '../losses';
import { disposeModel } from '../models/dispose_model';
import { t5 } from '../models/t5/t5';
import { createT5Decoder } from '../models/t5/t5_decoder';
import { responsePositions } from '../ops/response_rows';
import type { PromptExamples } from '../prompts/item_language';
import { SemanticIdTokenizer, type SemanticIdTokenizerJson } from '../tokenizers/semantic_id_tokenizer';
import { encoderDecoderBatches } from '../training/encoder_decoder_batches';
import { cutRows } from '../training/rows';
import { type ItemCode, semanticIdCode } from './item_code';
import { beamSearchLists } from './lists';
import { type AskedModel, defineMethod } from './method';
import type { TrainingData } from './training_data';

const TOKENIZER_FILE = 'tokenizer.json';

const section = z.strictObject({
  hiddenSize: positive.default(128),
  headDim: positive.default(64),
  intermediateSize: positive.default(1024),
  numHiddenLayers: positive.default(4),
  numDecoderLayers: positive.optional(),
  numAttentionHeads: positive.default(6),
  dropout: rate.default(0.1),
  /** Fields of the section `training` that TIGER sets otherwise. */
  training: partialWithoutDefaults(trainingSchema).default({}),
});

type Section = z.output<typeof section>;

/**
 * TIGER (Rajput et al., arXiv 2305.05065): a T5 from scratch, whose encoder reads the semantic ids of a history and
 * whose decoder writes that of the next item. Every interaction is an example of its own, so that an epoch means the
 * same as in the other methods. The paper's token of a hashed user is left out: lists are made for histories, which may
 * be anybody's.
 */
export const tigerMethod = defineMethod({
  name: 'tiger',
  title: 'TIGER',
  summary: 'an encoder-decoder over semantic ids, trained from scratch',
  color: { light: '#7a4fb5', dark: '#c3a1f0' },
  order: 35,
  kind: 'language-model',
  scoresItems: false,
  section,
  begin: ({ data, files }) => files.writeJson(TOKENIZER_FILE, data.tokenizer.toJSON()),
  async build({ section, config, data, files }) {
    const { training: _, ...shape } = section;
    const { tokenizer, trie, itemCounts } = data;
    const settings = settingsOf(config, section);
    const { padTokenId } = tokenizer;
    const batches = encoderDecoderBatches({
      examples: nextItemExamples(data, settings),
      padTokenId,
      batchSize: settings.batchSize,
      seed: config.seed,
    });
    const model = t5({ ...shape, vocabSize: tokenizer.vocabSize, padTokenId, seed: config.seed });
    return {
      ...listsOf(model, semanticIdCode(settings, tokenizer, itemCounts, trie), settings),
      training: { model, batches, settings, objective: () => ({ loss: tokenCrossEntropy }) },
      save: () => files.saveModel(model),
      dispose: () => disposeModel(model),
    };
  },
  async load({ section, config, items, files }) {
    const tokenizer = SemanticIdTokenizer.fromJSON((await files.readJson(TOKENIZER_FILE)) as SemanticIdTokenizerJson);
    const settings = settingsOf(config, section);
    const itemCounts = items.map(({ count }) => count);
    const model = await files.loadModel();
    const lists = listsOf(model, semanticIdCode(settings, tokenizer, itemCounts), settings);
    return { ...lists, dispose: () => disposeModel(model) };
  },
});

function listsOf(model: tfl.LayersModel, code: ItemCode, { maxHistory }: TrainingConfig): Omit<AskedModel, 'dispose'> {
  return beamSearchLists(model, code, { maxHistory, createDecoder: createT5Decoder });
}

/** Every interaction after its history. */
function nextItemExamples(
  { split, tokenizer }: Pick<TrainingData, 'split' | 'tokenizer'>,
  { maxHistory = DEFAULT_MAX_HISTORY, trainFirstItem }: TrainingConfig,
): PromptExamples {
  const { itemTokens } = tokenizer;
  const rows = cutRows(split.train, { batching: 'single', maxHistory, trainFirstItem });
  const itemsOf = ({ sequence, start, end }: (typeof rows)[number]): number[] =>
    Array.from(split.train[sequence]).slice(start, end);
  return {
    length: rows.length,
    lengthOf: (index) => itemsOf(rows[index]).reduce((sum, item) => sum + itemTokens[item].length, 1),
    at(index) {
      const items = itemsOf(rows[index]);
      return {
        prompt: historyPrompt(tokenizer, items.slice(0, -1)),
        response: itemTokens[items[items.length - 1]],
      };
    },
  };
}

/** Mean over the tokens of the batch's items. */
function tokenCrossEntropy(labels: tf.Tensor, predictions: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const found = responsePositions(labels, -100);
    return crossEntropy(found.rowsOf(predictions as tf.Tensor3D), found.labels);
  });
}

function settingsOf({ training }: SharedConfig, { training: own }: Section): TrainingConfig {
  return { ...training, initialWeights: undefined, ...own }; // other weights than a causal model's
}
