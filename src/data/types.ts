/** Who interacted with what, in time order: what every reader gives and every model trains on. */
export interface InteractionData {
  /** The dataset's name, for tables and manifests. */
  name: string;
  /** The source's item ids; an item number is an index into this list. Length N. */
  itemIds: string[];
  /** One title per item, null where unknown. */
  titles?: (string | null)[];
  /** The source's user ids; a user number is an index into this list. */
  userIds: string[];
  /** Per user, item numbers in time order (ties in the order of the file). */
  sequences: Int32Array[];
  /** Per item, its tokens from coarse to fine, e.g. ["<a_1>", "<b_7>"]; lengths may differ, items may share one. */
  semanticIds?: string[][];
  /** What the reader decided on its own, one sentence each; printed with the report. */
  notes?: string[];
  /** The dataset's own evaluation rows, in place of leave-one-out; `sequences` are then what to train on, and hold none of these targets. */
  cases?: PublishedCases;
}

/** One question of an evaluation: after this history, which item? */
export interface PublishedCase {
  /** Items before the target, oldest first. */
  readonly history: Int32Array;
  /** The item to be found. */
  readonly target: number;
}

/** The rows of the published splits; a split may be empty. */
export type PublishedCases = Readonly<Record<'valid' | 'test', readonly PublishedCase[]>>;

/** How well the codebooks are used. */
export interface SemanticIdReport {
  source: 'given' | 'k-means';
  /** Longest semantic id, in tokens. */
  levels: number;
  /** Different codes used per level. */
  codesUsed: number[];
  /** exp(entropy) of the codes over the items, per level: between 1 (collapsed) and `codesUsed` (balanced). */
  perplexity: number[];
  /** Different semantic ids; below the number of items where items share one. */
  distinct: number;
  /** Items beyond the first of each shared semantic id. */
  collisions: number;
  /** k-means only: size of each codebook. */
  codebookSize?: number;
  /** k-means only: items beyond the first of each shared id before the last level told them apart. */
  collisionsBeforeLastLevel?: number;
  /** k-means only: share of the vectors' energy that is left after each k-means level, 0 to 1. */
  residual?: number[];
}

/** What `prepare` did and found. */
export interface PrepareReport {
  /** 'lc-rec', 'minionerec', 'recbole', 'csv' or whatever the caller named. */
  format: string;
  users: number;
  items: number;
  interactions: number;
  /** The k of the k-core filter, 0 where none was asked for. */
  kCore: number;
  /** Interactions of a history that prompts may show; null for all. */
  maxHistory: number | null;
  /** Published rows per split, where those are evaluated instead of leave-one-out. */
  cases?: { valid: number; test: number };
  /** What the k-core filter and the three-interactions rule removed. */
  dropped: { users: number; items: number; interactions: number };
  /** Items in the catalogue that no kept user interacted with. */
  itemsWithoutInteractions: number;
  sequenceLength: { min: number; mean: number; max: number };
  semanticIds: SemanticIdReport;
  /** Seed of the k-means. */
  seed: number;
  notes: string[];
}

/** A dataset ready for training: every item has a semantic id, and every user three interactions or more where the split is leave-one-out. */
export interface PreparedData extends InteractionData {
  semanticIds: string[][];
  report: PrepareReport;
  /** sha256 of items.jsonl, interactions.jsonl and, where there is one, cases.jsonl; present where the data came from or went to a folder. */
  checksum?: string;
}

/** The leave-one-out split; all three lists run over the users. */
export interface LeaveOneOut {
  /** Each sequence without its last two interactions. */
  train: Int32Array[];
  /** The last but one item of each user. */
  validation: Int32Array;
  /** The last item of each user. */
  test: Int32Array;
}
