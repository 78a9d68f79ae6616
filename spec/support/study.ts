import type { Study, StudiedArm, StudiedDifference } from '../../src/runs/study';
import { madeComparison, madeMethod, madePair } from './comparison';

/** A difference of an arm to the first, in NDCG@10. */
export function madeDifference(changes: Partial<StudiedDifference> = {}): StudiedDifference {
  const { a: _, b: __, ...difference } = madePair(changes);
  return difference;
}

/** An arm that trains ILRec, with its difference to the first. @param value of every metric. */
export function madeArm(name: string, value: number, difference: Partial<StudiedDifference> | null): StudiedArm {
  const { runs, mean, ci95, invalidItems, lists, cost } = madeMethod('ilrec', value);
  const { epochOverSft: _, epochWithNeedsOverSft: __, ...own } = cost;
  return {
    name,
    method: 'ilrec',
    config: { methods: { ilrec: { penaltyWeight: value } } },
    ...{ runs, mean, ci95, invalidItems, lists },
    cost: own,
    differences: difference && {
      'ndcg@10': madeDifference(difference),
      'hr@10': madeDifference({ metric: 'hr@10' }),
    },
  };
}

/** Shown ahead, shown behind, and undecided though its interval leaves out 0. */
export const AHEAD = { difference: 0.03, ci95: [0.01, 0.05], pValue: 0.001, adjustedPValue: 0.003 } as const;
export const BEHIND = { difference: -0.02, ci95: [-0.03, -0.01], pValue: 0.002, adjustedPValue: 0.004 } as const;
export const UNDECIDED = { difference: 0.01, ci95: [0.001, 0.02], pValue: 0.04, adjustedPValue: 0.12 } as const;

/** A study of four arms, one of each outcome; no run lies behind it. */
export function madeStudy(changes: Partial<Study> = {}): Study {
  const { data, backend, seeds, slices, secondsOf, seconds, protocols } = madeComparison();
  const arms = [
    madeArm('base', 0.1, null),
    madeArm('better', 0.13, AHEAD),
    madeArm('worse', 0.08, BEHIND),
    madeArm('like <it>', 0.11, UNDECIDED),
  ];
  return {
    description: 'What the terms do.',
    data,
    backend,
    split: 'valid',
    users: 9,
    rows: 9,
    seeds,
    arms,
    skipped: [],
    protocols: Object.fromEntries(arms.map(({ name }) => [name, protocols.sft])),
    slices: slices.map((slice) => ({
      ...slice,
      methods: arms.map(({ name }) => ({ method: name, mean: 0.1, ci95: [0.05, 0.15] as const })),
    })),
    budgets: null,
    secondsOf,
    seconds,
    ...changes,
  };
}
