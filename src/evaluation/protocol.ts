import type { Interval } from './bootstrap';

/** How a recommender makes its lists. It belongs beside every result. */
export interface RankingProtocol {
  /** How the lists are made, such as 'constrained beam search over the item trie'. */
  readonly ranking: string;
  /** N, items in the catalogue; all are candidates for every user. */
  readonly numItems: number;
  /** Beam width; null if every item is scored. */
  readonly beamWidth: number | null;
  /** The narrower beam that was asked for, where it was widened so that the lists hold enough items. */
  readonly askedBeamWidth?: number;
  /** Whether probabilities are renormalised over the tokens that may follow; null if every item is scored. */
  readonly renormalize: boolean | null;
  /** Items per list. A target that is not in the list is not ranked. */
  readonly listLength: number;
  /** Newest items of the history that the model sees; null for all. */
  readonly maxHistory: number | null;
  /** Whether items of the history are left out of the list. */
  readonly excludeSeen: boolean;
  /** Which item comes first at equal scores. */
  readonly tieRule: string;
}

/** Everything needed to repeat a result. */
export interface EvaluationProtocol extends RankingProtocol {
  /** Which item of each user is the target. */
  readonly split: 'valid' | 'test';
  /**
   * Where the targets come from: each user's last items, or rows that the dataset publishes. A user may have several
   * rows.
   */
  readonly holdOut: 'leave-one-out' | 'published rows';
  /** Targets counted: one per user, or published rows. `bootstrap.clusters` says of how many users the rows are. */
  readonly users: number;
  /** Targets that there are. */
  readonly usersTotal: number;
  /** Lists with fewer items than the largest cutoff; absent where there are none. */
  readonly shortLists?: { readonly lists: number; readonly cutoff: number };
  /** Seed of the draw of users; null if all were counted or the caller named them. */
  readonly userSeed: number | null;
  /** How the intervals were made. */
  readonly bootstrap: {
    readonly resamples: number;
    readonly seed: number;
    readonly level: number;
    /** Users that were drawn whole, where users have several rows. */
    readonly clusters?: number;
  };
}

/**
 * Writes a protocol as one paragraph, to print with the numbers.
 *
 * @param protocol the `protocol` of an `EvaluationResult`.
 * @returns sentences about users, ranking, history, ties and intervals.
 * @example
 * ```ts
 * import { evaluateRecommender, popularityScorer, protocolText, scorerRecommender } from 'tfjs-ilrec';
 *
 * const recommender = scorerRecommender({ scorer: popularityScorer([[2, 0], [2, 1]], 4), histories: [[0], [1]] });
 * const { protocol } = await evaluateRecommender({ ...recommender, targets: [2, 3], split: 'test', ks: [3] });
 * console.log(protocolText(protocol).split(' (')[0]); // Leave-one-out, test split
 * ```
 */
export function protocolText(protocol: EvaluationProtocol): string {
  const { split, users, usersTotal, userSeed, numItems, bootstrap } = protocol;
  const published = protocol.holdOut === 'published rows';
  const who = published ? 'rows' : 'users';
  const target = split === 'test' ? 'the last item of each user' : 'the last but one item of each user';
  const ofUsers = bootstrap.clusters === undefined ? '' : ` of ${bootstrap.clusters} users`;
  const counted =
    users === usersTotal
      ? `all ${users} ${who}${ofUsers}`
      : `${users} of ${usersTotal} ${who}${userSeed === null ? '' : ` drawn with seed ${userSeed}`}${ofUsers}`;
  const beams =
    protocol.beamWidth === null ? '' : `, beam width ${protocol.beamWidth}${widenedText(protocol.askedBeamWidth)}`;
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
    `Full ranking of ${numItems} items by ${protocol.ranking}${beams}${probabilities}; lists of ` +
      `${protocol.listLength} items; a target that is not in the list counts as a miss.`,
    `The model sees ${history}; items of the history ` +
      `${protocol.excludeSeen ? 'are left out of the list' : 'may be recommended again'}.`,
    ...shortListsText(protocol),
    `Ties: ${protocol.tieRule}.`,
    `Intervals: ${bootstrap.level * 100} % percentile bootstrap over ` +
      `${bootstrap.clusters === undefined ? who : `the ${bootstrap.clusters} users of the rows`}, ${bootstrap.resamples} resamples, ` +
      `seed ${bootstrap.seed}.`,
  ].join(' ');
}

function widenedText(asked: number | undefined): string {
  return asked === undefined ? '' : ` (${asked} asked for, widened so that the lists hold enough items)`;
}

/** A list with fewer items than the cutoff holds all that are left, or misses more. */
function shortListsText({ shortLists, numItems, users }: EvaluationProtocol): string[] {
  if (shortLists === undefined) return [];
  const { lists, cutoff } = shortLists;
  if (numItems < cutoff)
    return [`The catalogue has fewer than ${cutoff} items, so a cutoff of ${cutoff} takes in every item of a list.`];
  return [`${lists} of ${users} lists ${lists === 1 ? 'holds' : 'hold'} fewer than ${cutoff} items.`];
}

/**
 * Formats a value with its interval.
 *
 * @param value the metric.
 * @param interval [low, high].
 * @param digits decimals. Default 4.
 * @returns text such as `0.1026 [0.0989, 0.1063]`.
 * @example
 * ```ts
 * import { formatInterval } from 'tfjs-ilrec';
 *
 * console.log(formatInterval(0.10264, [0.0989, 0.10631])); // 0.1026 [0.0989, 0.1063]
 * ```
 */
export function formatInterval(value: number, [low, high]: Interval, digits = 4): string {
  return `${value.toFixed(digits)} [${low.toFixed(digits)}, ${high.toFixed(digits)}]`;
}
