import type * as tfl from '@tensorflow/tfjs-layers';
import { IlrecError } from '../errors';
import { HistoryEmbedding } from '../layers/history_embedding';

/**
 * The embedding layer of a sequential model, also after saving and loading. It owns the item table and knows `numItems`
 * and `maxHistory`.
 *
 * @param caller the public function that error messages name.
 * @throws IlrecError when the model has none.
 */
export function historyEmbedding(model: tfl.LayersModel, caller: string): HistoryEmbedding {
  const embedding = model.layers.find((layer) => layer instanceof HistoryEmbedding);
  if (embedding !== undefined) return embedding;
  const seen = model.layers.map((layer) => layer.getClassName()).join(', ');
  throw new IlrecError(
    `${caller}: the model must have an ILRecHistoryEmbedding or ILRecSASRecEmbedding layer, got ${seen}; make it with ` +
      'sasrec(), gru4rec() or caser()',
  );
}
