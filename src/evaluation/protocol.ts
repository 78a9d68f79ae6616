import type { Interval } from './bootstrap';

/** How a recommender makes its lists, in words and numbers that belong beside every result. */
export interface RankingProtocol {
  /** How the list is made, e.g. 'constrained beam search over the item trie'. */
  readonly ranking: string;
  /** Items in the catalogue; all are candidates for every user. */
  readonly numItems: number;
  /** W of the beam search; null where every item is scored. */
  readonly beamWidth: number | null;
  /** Whether probabilities are renormalised over the tokens that may follow; null where every item is scored. */
  readonly renormalize: boolean | null;
  /** Items per list: a target below that is not ranked. */
  readonly listLength: number;
  /** Newest items of the history that the model sees; null when all. */
  readonly maxHistory: number | null;
  /** Whether items of the history are left out of the list. */
  readonly excludeSeen: boolean;
  /** Who is ahead at equal scores. */
  readonly tieRule: string;
}

/** Everything that must be known to repeat a result. */
export interface EvaluationProtocol extends RankingProtocol {
  /** Which item of each user is the target. */
  readonly split: 'valid' | 'test';
  /** Where the targets come from: each user's last items, or rows that the dataset publishes, several of which may be one user's. */
  readonly holdOut: 'leave-one-out' | 'published rows';
  /** Users counted. */
  readonly users: number;
  /** Users that have a target. */
  readonly usersTotal: number;
  /** Seed of the draw of users; null when all were counted or the caller named them. */
  readonly userSeed: number | null;
  readonly bootstrap: { readonly resamples: number; readonly seed: number; readonly level: number };
}

/** The protocol as one paragraph, to be printed with the numbers. */
export function protocolText(protocol: EvaluationProtocol): string {
  const { split, users, usersTotal, userSeed, numItems, bootstrap } = protocol;
  const published = protocol.holdOut === 'published rows';
  const who = published ? 'rows' : 'users';
  const target = split === 'test' ? 'the last item of each user' : 'the last but one item of each user';
  const counted =
    users === usersTotal
      ? `all ${users} ${who}`
      : `${users} of ${usersTotal} ${who}${userSeed === null ? '' : ` drawn with seed ${userSeed}`}`;
  const beams = protocol.beamWidth === null ? '' : `, beam width ${protocol.beamWidth}`;
  const probabilities =
    protocol.renormalize === null
      ? ''
      : `, token probabilities ${protocol.renormalize ? 'renormalised over the allowed tokens' : 'over the whole vocabulary'}`;
  const history =
    protocol.maxHistory === null ? 'the whole history' : `the last ${protocol.maxHistory} items of the history`;
  return [
    published
      ? `The published rows of the ${split} split, ${counted}.`
      : `Leave-one-out, ${split} split (target: ${target}), ${counted}.`,
    `Full ranking of ${numItems} items by ${protocol.ranking}${beams}${probabilities}; lists of ${protocol.listLength} items, a target below that counts as a miss.`,
    `The model sees ${history}; items of the history ${protocol.excludeSeen ? 'are left out of the list' : 'may be recommended again'}.`,
    `Ties: ${protocol.tieRule}.`,
    `Intervals: ${bootstrap.level * 100} % percentile bootstrap over ${who}, ${bootstrap.resamples} resamples, seed ${bootstrap.seed}.`,
  ].join(' ');
}

/** A value with its interval, e.g. `0.1026 [0.0989, 0.1063]`. */
export function formatInterval(value: number, [low, high]: Interval, digits = 4): string {
  return `${value.toFixed(digits)} [${low.toFixed(digits)}, ${high.toFixed(digits)}]`;
}
