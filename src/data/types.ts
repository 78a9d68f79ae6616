/** Users, items and their interactions in time order. All readers return it, and all models train on it. */
export interface InteractionData {
  /** Name of the dataset, for tables and manifests. */
  name: string;
  /** The item ids of the source, [N]. An item number is an index into this list. */
  itemIds: string[];
  /** One title per item, null when unknown, [N]. */
  titles?: (string | null)[];
  /** The user ids of the source, [users]. A user number is an index into this list. */
  userIds: string[];
  /** Item numbers in time order, [users]. Equal times keep the order of the file. */
  sequences: Int32Array[];
  /**
   * The tokens of each item from coarse to fine, such as ["<a_1>", "<b_7>"], [N]. Lengths may differ, and items may
   * share a semantic id.
   */
  semanticIds?: string[][];
  /** What the reader decided, one sentence each; printed with the report. */
  notes?: string[];
  /**
   * The dataset's own evaluation rows, used instead of leave-one-out. `sequences` are then the training data and
   * contain none of these targets.
   */
  cases?: PublishedCases;
}

/** One question of an evaluation: which item comes after this history? */
export interface PublishedCase {
  /** Item numbers before the target, oldest first. */
  readonly history: Int32Array;
  /** The item number to find. */
  readonly target: number;
  /** A number that the cases of one user share; absent in folders that older releases prepared. */
  readonly user?: number;
}

/** The rows of each published split; a split may be empty. */
export type PublishedCases = Readonly<Record<'valid' | 'test', readonly PublishedCase[]>>;

/** How well the codebooks are used. */
export interface SemanticIdReport {
  source: 'given' | 'k-means';
  /** Tokens of the longest semantic id. */
  levels: number;
  /** Number of different codes used, per level. */
  codesUsed: number[];
  /** exp(entropy) of the codes over the items, per level: from 1 (collapsed) to `codesUsed` (balanced). */
  perplexity: number[];
  /** Number of different semantic ids; below N when items share one. */
  distinct: number;
  /** Items that have the semantic id of an earlier item. */
  collisions: number;
  /** k-means only: codes per codebook. */
  codebookSize?: number;
  /** k-means only: items that shared an id before the last level was added. */
  collisionsBeforeLastLevel?: number;
  /** k-means only: share of the vectors' variance that remains after each k-means level, 0 to 1. */
  residual?: number[];
}

/** What `prepareInteractions` did and found. */
export interface PrepareReport {
  /** 'lc-rec', 'minionerec', 'recbole', 'csv' or any other name that the caller gave. */
  format: string;
  users: number;
  items: number;
  interactions: number;
  /** The k of the k-core filter, 0 for none. */
  kCore: number;
  /** Newest interactions of a history that prompts show; null for all. */
  maxHistory: number | null;
  /** Published rows per split; absent for leave-one-out. */
  cases?: { valid: number; test: number };
  /** What the k-core filter removed, and users with fewer than three interactions. */
  dropped: { users: number; items: number; interactions: number };
  /** Items of the catalogue without an interaction of a remaining user. */
  itemsWithoutInteractions: number;
  sequenceLength: { min: number; mean: number; max: number };
  semanticIds: SemanticIdReport;
  /** Seed of the item vectors and of k-means. */
  seed: number;
  notes: string[];
}

/**
 * A dataset ready for training: every item has a semantic id, and for leave-one-out every user has at least three
 * interactions.
 */
export interface PreparedData extends InteractionData {
  semanticIds: string[][];
  report: PrepareReport;
  /**
   * sha256 of items.jsonl, interactions.jsonl and, if it exists, cases.jsonl; absent for data that was never in a
   * folder.
   */
  checksum?: string;
}

/** The leave-one-out split: three lists over the users. */
export interface LeaveOneOut {
  /** Each user's sequence without its last two items. */
  train: Int32Array[];
  /** The last but one item of each user's sequence. */
  validation: Int32Array;
  /** The last item of each user's sequence. */
  test: Int32Array;
}
