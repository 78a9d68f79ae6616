import type { InteractionData, SemanticIdReport } from '../data/types';
import { IlrecError } from '../errors';
import { createRandom } from '../random';
import { makeItemVectors, type ItemVectors } from './make_item_vectors';
import { defaultCodebookSize, residualKMeans } from './residual_k_means';
import { resolveCollisions } from './resolve_collisions';
import { reportSemanticIds } from './semantic_id_report';

/** How semantic ids are made. */
export interface MakeSemanticIdsOptions {
  /** k-means levels, default 3; a last one is added where items still collide. */
  levels?: number;
  /** Codes per level, at most the number of items; default `defaultCodebookSize`. */
  codebookSize?: number;
  /** Item vectors by item id; default `makeItemVectors`. */
  vectors?: ReadonlyMap<string, ArrayLike<number>>;
  /** Default 0. */
  seed?: number;
}

const DEFAULT_LEVELS = 3;
const FIRST_LETTER = 'a'.charCodeAt(0);

/**
 * Gives each item a semantic id of its own by residual k-means over item vectors: ["<a_5>", "<b_31>", "<c_0>"].
 *
 * @returns the semantic ids, all different and of one length, a report, and notes on what was decided.
 * @throws IlrecError when vectors are missing for an item or are not finite and of one length, or the codebook is larger than the catalogue.
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
      `${vectors.size - itemIds.length} of the item vectors belong to no item of the catalogue and are not used.`,
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
      `makeSemanticIds: vectors must have every item of the catalogue, got none for ${missing.length} of ${itemIds.length}, such as "${missing[0]}"; add them or leave vectors out`,
    );
  }
  const dim = (vectors.get(itemIds[0]) as ArrayLike<number>).length;
  const values = new Float32Array(itemIds.length * dim);
  itemIds.forEach((id, item) => {
    const vector = vectors.get(id) as ArrayLike<number>;
    if (vector.length !== dim || dim === 0)
      throw new IlrecError(
        `makeSemanticIds: vectors must all have the same length, 1 or more, got ${vector.length} for item "${id}" and ${dim} for "${itemIds[0]}"; use one encoder for all items`,
      );
    for (let j = 0; j < dim; j++) {
      if (!Number.isFinite(vector[j]))
        throw new IlrecError(
          `makeSemanticIds: vectors must be finite, got ${vector[j]} at place ${j} of item "${id}"; repair the vector`,
        );
      values[item * dim + j] = vector[j];
    }
  });
  return { values, dim };
}
