import type * as tfl from '@tensorflow/tfjs-layers';
import { LMHead, TokenEmbedding } from '../layers';
import { resizeTokenEmbeddings, vocabularyLayers } from '../pretrained/resize_embeddings';
import { initialRows, type InitialRowsOptions } from './initial_rows';
import type { LcRecLanguage } from './lc_rec_language';

/**
 * Gives a pretrained model the rows for a catalogue's semantic-id tokens, in the embedding and in an untied head.
 *
 * @param model of ILRec's layers, not yet compiled; disposed where its vocabulary has to grow.
 * @returns the model to use from here on. Its config's vocab_size is the larger of the old one and the language's.
 * @throws IlrecError as `initialRows` and `resizeTokenEmbeddings` do.
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
  if (embedding === undefined) return resizeTokenEmbeddings(model, vocabSize); // which says what is missing
  const rows = await initialRows(embedding.weight, language, options);
  const headRows = head === undefined ? undefined : await initialRows(head.weight, language, options);
  return resizeTokenEmbeddings(model, vocabSize, { ids: rows.ids, embedding: rows.values, head: headRows?.values });
}
