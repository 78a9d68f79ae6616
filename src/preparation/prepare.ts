import { IlrecError } from '../errors';
import { makeSemanticIds } from '../semantic_ids/make_semantic_ids';
import { reportSemanticIds } from '../semantic_ids/semantic_id_report';
import { kCoreFilter } from '../data/k_core';
import type { InteractionData, PreparedData, SemanticIdReport } from '../data/types';

/** Options of `prepareInteractions` and `prepareData`. */
export interface PrepareOptions {
  /**
   * Keeps users and items with at least this many interactions. Default 0: every item, and users with three or more.
   */
  kCore?: number;
  /**
   * Newest interactions of a history that prompts show, 1 or more. It is recorded for training and evaluation;
   * sequences stay whole. Default all.
   */
  maxHistory?: number;
  /** k-means levels of new semantic ids, 1 to 25. One more level is added if items still share an id. Default 3. */
  levels?: number;
  /**
   * Codes per k-means level, 1 to the number of items. Default: a power of two near 1.5 times the root of that number,
   * at most 256.
   */
  codebookSize?: number;
  /**
   * Item vectors by item id, all of one length. Default: made from the training interactions and the titles, if there
   * are any.
   */
  vectors?: ReadonlyMap<string, ArrayLike<number>>;
  /** Seed of the item vectors and of k-means, any integer. Default 0. */
  seed?: number;
}

const MAX_LEVELS = 25; // each level has a letter, and so has the one that may be added

/**
 * Filters a dataset, gives it semantic ids if it has none, and reports on it.
 *
 * Semantic ids that the dataset has are kept, unless `levels`, `codebookSize` or `vectors` ask for new ones.
 *
 * @param raw what a reader or `demoCatalogue` returned.
 * @param options filter and semantic ids; see `PrepareOptions`.
 * @param format name of the source in the report. Default 'interactions'.
 * @returns the data with semantic ids and a report.
 * @throws IlrecError when an option is out of range, the filter leaves nothing, or `vectors` lacks an item or has
 *   vectors of different lengths.
 * @example
 * ```ts
 * import { demoCatalogue, prepareInteractions } from 'tfjs-ilrec';
 *
 * const data = prepareInteractions(demoCatalogue({ numItems: 40, numUsers: 60 }), { levels: 2, codebookSize: 8 });
 * console.log(data.semanticIds[0]); // [ '<a_3>', '<b_4>', '<c_0>' ]
 * console.log(data.report.users, data.report.semanticIds.distinct); // 60 40
 * ```
 */
export function prepareInteractions(
  raw: InteractionData,
  options: PrepareOptions = {},
  format = 'interactions',
): PreparedData {
  checkPrepareOptions('prepareInteractions', options);
  const { kCore = 0, maxHistory = null, seed = 0, levels, codebookSize, vectors } = options;
  const { data, dropped } = kCoreFilter(raw, kCore);
  const notes = [...(raw.notes ?? [])];
  if (dropped.users > 0 && kCore === 0)
    notes.push(`${dropped.users} users with fewer than three interactions are dropped: leave-one-out needs three.`);

  const wantsNew = levels !== undefined || codebookSize !== undefined || vectors !== undefined;
  let semanticIds = data.semanticIds;
  let idReport: SemanticIdReport;
  if (semanticIds === undefined || wantsNew) {
    if (semanticIds !== undefined)
      notes.push('New semantic ids replace those of the dataset, because levels, codebookSize or vectors were given.');
    const made = makeSemanticIds(data, { levels, codebookSize, vectors, seed });
    semanticIds = made.semanticIds;
    idReport = made.report;
    notes.push(...made.notes);
  } else idReport = reportSemanticIds(semanticIds, 'given');

  const interactions = data.sequences.reduce((sum, sequence) => sum + sequence.length, 0);
  const seen = new Uint8Array(data.itemIds.length);
  for (const sequence of data.sequences) for (const item of sequence) seen[item] = 1;
  const lengths = data.sequences.map((sequence) => sequence.length);
  const { notes: _, ...rest } = data;
  return {
    ...rest,
    semanticIds,
    report: {
      format,
      users: data.userIds.length,
      items: data.itemIds.length,
      interactions,
      kCore,
      maxHistory,
      dropped,
      ...(data.cases && { cases: { valid: data.cases.valid.length, test: data.cases.test.length } }),
      itemsWithoutInteractions: seen.reduce((sum, flag) => sum + 1 - flag, 0),
      sequenceLength: {
        min: lengths.reduce((a, b) => Math.min(a, b)),
        mean: interactions / lengths.length,
        max: lengths.reduce((a, b) => Math.max(a, b)),
      },
      semanticIds: idReport,
      seed,
      notes,
    },
  };
}

/**
 * Checks the ranges that need no data.
 *
 * @param caller the public function that errors name.
 * @throws IlrecError that names the first option that is out of range.
 */
export function checkPrepareOptions(
  caller: string,
  { kCore, maxHistory, levels, codebookSize, seed }: PrepareOptions,
): void {
  const check = (name: string, value: number | undefined, low: number, high: number, todo: string): void => {
    if (value !== undefined && !(Number.isInteger(value) && value >= low && value <= high)) {
      throw new IlrecError(
        `${caller}: ${name} must be an integer ${high === Infinity ? `of ${low} or more` : `from ${low} to ${high}`}, got ${value}; ${todo}`,
      );
    }
  };
  check('kCore', kCore, 0, Infinity, '5 is usual, 0 is no filter');
  check('maxHistory', maxHistory, 1, Infinity, 'leave it out for whole histories');
  check('levels', levels, 1, MAX_LEVELS, '3 is usual');
  check('codebookSize', codebookSize, 1, Infinity, '256 is usual for ten thousand items');
  check('seed', seed, -Infinity, Infinity, 'use a whole number such as 0');
}
