import { IlrecError } from '../../errors';
import type { PreferenceExamples } from '../../tapped/item_pairs';
import type { BuildContext } from '../method';

/** Pairs of a user's own. */
export interface GivenPairs {
  readonly examples: PreferenceExamples;
  /** [E * n] */
  readonly rejected: Int32Array;
}

/**
 * Reads a file of pairs, one JSON object a line:
 *
 * ```
 * { "history": ["tent", "stove"], "chosen": "lamp", "rejected": ["rope", "axe"] }
 * { "user": "anna", "chosen": "lamp", "rejected": ["rope", "axe"] }
 * ```
 * With `user`, the history is the user's training part; where it holds the chosen item, what came before the last time.
 *
 * @param numRejected the first so many items of `rejected` are used.
 * @throws IlrecError that names the first line that is wrong.
 */
export async function readPairs(
  path: string,
  option: string,
  { prepared, data, config, files }: Pick<BuildContext, 'prepared' | 'data' | 'config' | 'files'>,
  numRejected: number,
): Promise<GivenPairs> {
  const text = await files.readNamed(path, `trainRun: ${option}`);
  const itemOf = new Map(prepared.itemIds.map((id, item) => [id, item]));
  const userOf = new Map(prepared.userIds.map((id, user) => [id, user]));
  const { maxHistory = Infinity } = config.training;
  const histories: number[][] = [];
  const [chosen, rejected]: number[][] = [[], []];
  const lineOf = new Map<string, number>();

  text.split('\n').forEach((content, at) => {
    if (content.trim() === '') return;
    const line = at + 1;
    const refuse = (rule: string, got: unknown): never => {
      throw new IlrecError(`trainRun: ${option} must ${rule}, got ${shown(got)} in line ${line} of ${path}`);
    };
    const pair = parsed(content) ?? refuse('hold one JSON object a line', content);
    const numbered = (id: unknown): number => itemOf.get(String(id)) ?? refuse('name items of the dataset', id);
    const item = numbered(pair.chosen);
    const others = isList(pair.rejected) ? pair.rejected.map(numbered) : refuse('hold rejected, a list', pair.rejected);
    if (others.length < numRejected)
      refuse(`reject at least numNegatives ${numRejected} items for each chosen one`, pair.rejected);
    if (others.includes(item)) refuse('reject other items than the chosen one', pair.chosen);
    if (isList(pair.history) === (pair.user !== undefined))
      refuse('hold either history, a list, or user', { history: pair.history, user: pair.user });
    const history = isList(pair.history)
      ? pair.history.map(numbered)
      : before(data.split.train[userOf.get(String(pair.user)) ?? refuse('name users of the dataset', pair.user)], item);
    const shownHistory = history.slice(-maxHistory);
    const key = pairKey(shownHistory, item);
    const earlier = lineOf.get(key);
    if (earlier !== undefined)
      refuse(`reject all items in one line where history and chosen item are those of line ${earlier}`, pair.chosen);
    lineOf.set(key, line);
    histories.push(shownHistory);
    chosen.push(item);
    rejected.push(...others.slice(0, numRejected));
  });
  if (chosen.length === 0) throw new IlrecError(`trainRun: ${option} must hold at least one pair, got none in ${path}`);
  const rows = Int32Array.from(chosen.keys());
  const lengths = Int32Array.from(histories, ({ length }) => length);
  const examples = { numItems: data.numItems, histories, rows, lengths, chosen: Int32Array.from(chosen) };
  return { examples, rejected: Int32Array.from(rejected) };
}

/** What tells pairs apart: the history as the model sees it, and the chosen item. */
export function pairKey(history: readonly number[], chosen: number): string {
  return `${history.join(' ')} > ${chosen}`;
}

function parsed(line: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !isList(value) ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}

/** Short enough for a message. */
function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text === undefined ? 'none' : text.length > 60 ? `${text.slice(0, 60)}...` : text;
}

function before(sequence: Int32Array, item: number): number[] {
  const last = sequence.lastIndexOf(item);
  return [...(last < 0 ? sequence : sequence.subarray(0, last))];
}
