import type * as tfl from '@tensorflow/tfjs-layers';
import { LMHead, TokenEmbedding } from '../layers';
import { resizeTokenEmbeddings, vocabularyLayers } from '../pretrained/resize_embeddings';
import { initialRows, type InitialRowsOptions } from './initial_rows';
import type { LcRecLanguage } from './lc_rec_language';

/**
 * Adds rows for a catalogue's semantic-id tokens to a pretrained model, in the embedding and in an untied head. See
 * `initialRows` for their values.
 *
 * @param model a model of `loadPretrained`, `causalLM` or `gpt2`, not yet compiled. It is disposed when its vocabulary
 * grows.
 * @param language the catalogue's language; its tokenizer has the new tokens.
 * @param options how the rows start.
 * @returns the model to use from now on; V is the larger of the old V and the language's.
 * @throws IlrecError when the model has no token embedding, or has adapters, gradient checkpointing or taps, or when
 * titles are required and missing.
 * @example
 * ```ts
 * import { addItemTokens, causalLM, lcRecLanguage, TextTokenizer, trainByteLevelBpe } from 'tfjs-ilrec';
 *
 * const json = trainByteLevelBpe(['red lipstick'], { vocabSize: 257, specialTokens: ['<eos>'] });
 * const tokenizer = TextTokenizer.fromJSON(json, { eos_token: '<eos>' });
 * const language = lcRecLanguage({ tokenizer, semanticIds: [['<a_0>', '<b_0>'], ['<a_0>', '<b_1>']] });
 * const model = await addItemTokens(causalLM({ vocabSize: 257, hiddenSize: 8, numHiddenLayers: 2 }), language);
 * console.log(model.outputs[0].shape); // [ null, null, 260 ]
 * ```
 */
export async function addItemTokens(
  model: tfl.LayersModel,
  language: LcRecLanguage,
  options: InitialRowsOptions = {},
): Promise<tfl.LayersModel> {
  const layers = vocabularyLayers(model);
  const embedding = layers.find((layer) => layer instanceof TokenEmbedding);
  const head = layers.find((layer) => layer instanceof LMHead);
  const vocabSize = Math.max(language.vocabSize, ...layers.map((layer) => layer.vocabSize));
  if (embedding === undefined) return resizeTokenEmbeddings(model, vocabSize); // throws: there is no embedding
  const rows = await initialRows(embedding.weight, language, options);
  const headRows = head === undefined ? undefined : await initialRows(head.weight, language, options);
  return resizeTokenEmbeddings(model, vocabSize, { ids: rows.ids, embedding: rows.values, head: headRows?.values });
}
