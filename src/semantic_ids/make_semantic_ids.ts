import type { InteractionData, SemanticIdReport } from '../data/types';
import { IlrecError } from '../errors';
import { createRandom } from '../random';
import { makeItemVectors, type ItemVectors } from './make_item_vectors';
import { defaultCodebookSize, residualKMeans } from './residual_k_means';
import { resolveCollisions } from './resolve_collisions';
import { reportSemanticIds } from './semantic_id_report';

/** Options of `makeSemanticIds`. */
export interface MakeSemanticIdsOptions {
  /** k-means levels, 1 to 25. One more level is added if items still share an id. Default 3. */
  levels?: number;
  /**
   * Codes per k-means level, 1 to the number of items. Default: a power of two near 1.5 times the root of that number,
   * at most 256.
   */
  codebookSize?: number;
  /** Item vectors by item id, all of one length. Default `makeItemVectors`. */
  vectors?: ReadonlyMap<string, ArrayLike<number>>;
  /** Seed of the item vectors and of k-means, any integer. Default 0. */
  seed?: number;
}

const DEFAULT_LEVELS = 3;
const FIRST_LETTER = 'a'.charCodeAt(0);

/**
 * Gives each item its own semantic id, such as ["<a_5>", "<b_31>", "<c_0>"], by residual k-means over item vectors.
 *
 * @param data sequences, item ids and titles, as a reader or `demoCatalogue` returns them.
 * @param options levels, codebook, vectors and seed; see `MakeSemanticIdsOptions`.
 * @returns the semantic ids [N], all different and of one length; a report; and notes, one sentence per decision.
 * @throws IlrecError when `vectors` lacks an item, vectors are not finite or differ in length, or `codebookSize` is out
 *   of range.
 * @example
 * ```ts
 * import { demoCatalogue, makeSemanticIds } from 'tfjs-ilrec';
 *
 * const { semanticIds, report } = makeSemanticIds(demoCatalogue({ numItems: 40, numUsers: 60 }));
 * console.log(semanticIds[0]); // [ '<a_3>', '<b_7>', '<c_8>' ]
 * console.log(report.levels, report.distinct, report.codebookSize); // 3 40 16
 * ```
 */
export function makeSemanticIds(
  data: Pick<InteractionData, 'sequences' | 'itemIds' | 'titles'>,
  {
    levels = DEFAULT_LEVELS,
    codebookSize = defaultCodebookSize(data.itemIds.length),
    vectors,
    seed = 0,
  }: MakeSemanticIdsOptions = {},
): { semanticIds: string[][]; report: SemanticIdReport; notes: string[] } {
  const { itemIds, sequences } = data;
  const { values, dim } = vectors === undefined ? makeItemVectors(data, seed) : gatherVectors(vectors, itemIds);
  const notes: string[] = [];
  if (vectors !== undefined && vectors.size > itemIds.length)
    notes.push(
      `${vectors.size - itemIds.length} of the item vectors belong to no item of the catalogue and were not used.`,
    );

  const { codes, residual } = residualKMeans(values, dim, levels, codebookSize, createRandom(seed));
  const popularity = new Int32Array(itemIds.length);
  for (const sequence of sequences) for (const item of sequence.subarray(0, -2)) popularity[item]++;
  const resolved = resolveCollisions(codes, popularity);
  const semanticIds = resolved.codes.map((code) =>
    code.map((c, level) => `<${String.fromCharCode(FIRST_LETTER + level)}_${c}>`),
  );
  return {
    semanticIds,
    notes,
    report: {
      ...reportSemanticIds(semanticIds, 'k-means'),
      codebookSize,
      collisionsBeforeLastLevel: resolved.collisions,
      residual,
    },
  };
}

function gatherVectors(vectors: ReadonlyMap<string, ArrayLike<number>>, itemIds: readonly string[]): ItemVectors {
  const missing = itemIds.filter((id) => !vectors.has(id));
  if (missing.length > 0) {
    throw new IlrecError(
      'makeSemanticIds: vectors must have an entry for every item of the catalogue, got none for ' +
        `${missing.length} of ${itemIds.length}, such as "${missing[0]}"; add them or leave vectors out`,
    );
  }
  const dim = (vectors.get(itemIds[0]) as ArrayLike<number>).length;
  const values = new Float32Array(itemIds.length * dim);
  itemIds.forEach((id, item) => {
    const vector = vectors.get(id) as ArrayLike<number>;
    if (vector.length !== dim || dim === 0)
      throw new IlrecError(
        `makeSemanticIds: vectors must all have the same length, 1 or more, got ${vector.length} for item ` +
          `"${id}" and ${dim} for "${itemIds[0]}"; use one encoder for all items`,
      );
    for (let j = 0; j < dim; j++) {
      if (!Number.isFinite(vector[j]))
        throw new IlrecError(
          `makeSemanticIds: vectors must be finite, got ${vector[j]} at index ${j} of item "${id}"; correct the vector`,
        );
      values[item * dim + j] = vector[j];
    }
  });
  return { values, dim };
}
