import { IlrecError } from '../errors';
import { makeSemanticIds } from '../semantic_ids/make_semantic_ids';
import { reportSemanticIds } from '../semantic_ids/semantic_id_report';
import { kCoreFilter } from '../data/k_core';
import type { InteractionData, PreparedData, SemanticIdReport } from '../data/types';

/** What `prepareInteractions` and `prepareData` can be told. */
export interface PrepareOptions {
  /** Keep users and items with at least this many interactions; default 0: the whole catalogue, and users with three or more. */
  kCore?: number;
  /** Interactions of a history that prompts may show, recorded for training and evaluation; default all. The sequences stay whole. */
  maxHistory?: number;
  /** k-means levels of made semantic ids, 1 to 25, default 3; one more is added where items still share one. */
  levels?: number;
  /** Codes per k-means level, at most the number of items; default a power of two near 1.5 times the root of that number, 256 at most. */
  codebookSize?: number;
  /** Item vectors by item id, all of one length; default made from the training interactions and, where known, the titles. */
  vectors?: ReadonlyMap<string, ArrayLike<number>>;
  /** Seed of the item vectors and k-means, default 0. */
  seed?: number;
}

const MAX_LEVELS = 25; // one letter per level, and one for the last level

/**
 * Filters a dataset, gives it semantic ids where it has none and reports on it.
 *
 * Semantic ids the dataset brings are kept unless `levels`, `codebookSize` or `vectors` ask for new ones.
 * @param format the source's name in the report.
 * @throws IlrecError when an option is out of range or the filter leaves nothing.
 */
export function prepareInteractions(
  raw: InteractionData,
  options: PrepareOptions = {},
  format = 'interactions',
): PreparedData {
  checkPrepareOptions(options);
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
      notes.push('The semantic ids of the dataset are replaced by new ones, as levels, codebookSize or vectors ask.');
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

/** @throws IlrecError naming the first option that is out of range. */
export function checkPrepareOptions({ kCore, maxHistory, levels, codebookSize, seed }: PrepareOptions): void {
  const check = (name: string, value: number | undefined, low: number, high: number, todo: string): void => {
    if (value !== undefined && !(Number.isInteger(value) && value >= low && value <= high)) {
      throw new IlrecError(
        `prepare: ${name} must be an integer ${high === Infinity ? `of ${low} or more` : `from ${low} to ${high}`}, got ${value}; ${todo}`,
      );
    }
  };
  check('kCore', kCore, 0, Infinity, '5 is usual, 0 is no filter');
  check('maxHistory', maxHistory, 1, Infinity, 'leave it out for whole histories');
  check('levels', levels, 1, MAX_LEVELS, '3 is usual');
  check('codebookSize', codebookSize, 1, Infinity, '256 is usual for ten thousand items');
  check('seed', seed, -Infinity, Infinity, 'use a whole number such as 0');
}
