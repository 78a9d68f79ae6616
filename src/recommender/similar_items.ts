import { IlrecError } from '../errors';
import { TopK } from '../generation/top_k';
import { type AskedRun, USUAL_LENGTH } from './recommend_items';
import { Catalogue } from './catalogue';

/** An item like another one. */
export interface SimilarItem {
  readonly id: string;
  readonly title: string | null;
  /** Cosine of the two items' vectors, -1 to 1. */
  readonly similarity: number;
}

/**
 * The items whose vectors are nearest to that of an item, by cosine.
 *
 * @param name id or title of the item.
 * @param k how many items, 1 or more. Default 10, or all others of a smaller catalogue.
 * @param caller the public function that errors name.
 * @throws IlrecError when the item is unknown, `k` is out of range, or the method has no vectors of items.
 */
export async function similarTo(
  { items, model, method }: Pick<AskedRun, 'items' | 'model'> & { readonly method: string },
  name: string,
  k: number | undefined,
  caller: string,
  catalogue = new Catalogue(items),
): Promise<SimilarItem[]> {
  const most = items.length - 1;
  const length = k ?? Math.min(USUAL_LENGTH, most);
  if (!Number.isInteger(length) || length < 1 || length > most)
    throw new IlrecError(`${caller}: k must be an integer from 1 to ${most}, the number of other items, got ${length}`);
  const item = catalogue.findOne(name, caller);
  const vectors = await model.itemVectors?.();
  if (vectors === undefined)
    throw new IlrecError(
      `${caller}: the run's method must have vectors of items, got ${method}, which has none; use a run of ilrec, ` +
        'sft or sasrec',
    );
  const cosines = cosinesTo(item, vectors, items.length);
  const best = new TopK(length);
  cosines.forEach((cosine, other) => {
    if (other !== item) best.offer(cosine, other);
  });
  const list: SimilarItem[] = [];
  best.drain((_, similarity, other) => {
    const { id, title } = items[other];
    list.push({ id, title, similarity });
  });
  return list;
}

/** Cosines between one item's vector and those of all, [N]. @param vectors [N, D] flat. */
function cosinesTo(item: number, vectors: Float32Array, numItems: number): Float64Array {
  const size = vectors.length / numItems;
  const cosines = new Float64Array(numItems);
  for (let other = 0; other < numItems; other++) {
    let [product, own, others] = [0, 0, 0];
    for (let d = 0; d < size; d++) {
      const [a, b] = [vectors[item * size + d], vectors[other * size + d]];
      product += a * b;
      own += a * a;
      others += b * b;
    }
    cosines[other] = own === 0 || others === 0 ? 0 : product / Math.sqrt(own * others);
  }
  return cosines;
}
