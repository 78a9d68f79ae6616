import { leaveOneOut } from './leave_one_out';
import { type EvaluationCases, splitCases } from './split_cases';
import type { InteractionData, PublishedCase } from './types';

/** The sequences to train on and the questions to evaluate. */
export interface DataSplit {
  readonly holdOut: 'leave-one-out' | 'published rows';
  /** Item numbers to train on, oldest first, [users]. */
  readonly train: Int32Array[];
  /** Empty when the published rows have no validation split. */
  readonly valid: EvaluationCases;
  readonly test: EvaluationCases;
}

/**
 * Splits a dataset by its published rows if it has any, and leave-one-out otherwise.
 *
 * @throws IlrecError as `leaveOneOut`.
 */
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
  const users = rows.flatMap(({ user }) => user ?? []);
  return {
    histories: rows.map(({ history }) => history),
    targets: Int32Array.from(rows, ({ target }) => target),
    ...(users.length > 0 && users.length === rows.length && { users: Int32Array.from(users) }),
  };
}
