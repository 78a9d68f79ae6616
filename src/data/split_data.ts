import type { EvaluationCases } from './split_cases';
import { splitCases } from './split_cases';
import { leaveOneOut } from './leave_one_out';
import type { InteractionData, PublishedCase } from './types';

/** What to train on and what to ask. */
export interface DataSplit {
  readonly holdOut: 'leave-one-out' | 'published rows';
  /** Per user, the items to train on, oldest first. */
  readonly train: Int32Array[];
  /** Without rows where the dataset has none. */
  readonly valid: EvaluationCases;
  readonly test: EvaluationCases;
}

/** The dataset's published rows where it has some, leave-one-out otherwise. @throws IlrecError as `leaveOneOut`. */
export function splitData({
  userIds,
  sequences,
  cases,
}: Pick<InteractionData, 'userIds' | 'sequences' | 'cases'>): DataSplit {
  if (cases !== undefined)
    return { holdOut: 'published rows', train: sequences, valid: casesOf(cases.valid), test: casesOf(cases.test) };
  const split = leaveOneOut({ userIds, sequences });
  return {
    holdOut: 'leave-one-out',
    train: split.train,
    valid: splitCases(split, 'valid'),
    test: splitCases(split, 'test'),
  };
}

function casesOf(rows: readonly PublishedCase[]): EvaluationCases {
  return { histories: rows.map(({ history }) => history), targets: Int32Array.from(rows, ({ target }) => target) };
}
