import { IlrecError } from '../errors';
import { readSemanticIds, readTitles } from './lc_rec';
import { idOf, linesOf, lookAlikes, show, spaceNote, type TextFile } from './text_file';
import type { InteractionData, PublishedCase } from './types';
import { publishedSplit, type SplitWindow } from './published_split';
import { chainedUsers } from './window_chain';
import { windowRows } from './window_rows';

const READER = 'readMiniOneRec';

const COLUMNS = {
  user: 'user_id',
  history: 'history_item_id',
  target: 'item_id',
  semanticId: 'item_sid',
  title: 'item_title',
};

/** The files of a MiniOneRec dataset, for `readMiniOneRec`. */
export interface MiniOneRecFiles {
  /** The CSV files of the splits, in the order train, valid, test. Splits may be missing. */
  windows: TextFile[];
  /** The split of each of `windows`; required for `split: 'published'`. */
  splits?: SplitWindow['split'][];
  /**
   * `published` evaluates the rows of valid.csv and test.csv, whose targets are then not trained on. When the train
   * split is missing, valid.csv is trained on and only test.csv is evaluated. Default `leave-one-out`.
   */
  split?: 'leave-one-out' | 'published';
  /** The splits that are missing; a note of the report names them. Default none. */
  missing?: string[];
  /** `*.index.json`: item -> the tokens of its semantic id. */
  index?: TextFile;
  /** `*.item.json`: item -> { title, ... }; without `title`, the field `*_title`, `name` or `*_name`. */
  item?: TextFile;
  /**
   * `*.info.txt`: semantic id, title and item id, separated by tabs. It stands in for `index` and `item`, whichever is
   * not given.
   */
  info?: TextFile;
  /** Name of the dataset. Default: the name of `index` up to its first dot, or 'MiniOneRec'. */
  name?: string;
}

/**
 * Reads MiniOneRec's CSV files. Each row holds a window of up to ten items, written as a Python list, and the item that
 * followed it.
 *
 * The windows of a user overlap. They are chained back into one sequence, which starts where the user's first window
 * starts. Like those of every other format, the sequences are split leave-one-out, unless `split` asks for the
 * published split; a note says which. The catalogue is every item of the index, or else of the info file, or else of
 * the windows.
 *
 * @param files the texts of the files and the split; see `MiniOneRecFiles`.
 * @returns users in the order of the files, with titles and semantic ids where given, and `cases` for the published
 *   split.
 * @throws IlrecError when a file or row is malformed, names an item that the index lacks or another semantic id than
 *   the index, or when the published split has no test.csv or does not hold out each user's last items; the message
 *   names the file, the line and the value.
 * @example
 * ```ts
 * import { readMiniOneRec } from 'tfjs-ilrec';
 *
 * const text = 'user_id,history_item_id,item_id\nA1,"[3, 7]",5\nA1,"[3, 7, 5]",9\n';
 * const { itemIds, sequences, notes } = readMiniOneRec({ windows: [{ name: 'test.csv', text }] });
 * console.log(Array.from(sequences[0], (item) => itemIds[item])); // [ '3', '7', '5', '9' ]
 * console.log(notes?.[0]); // Sequences are split leave-one-out, not by the published chronological split.
 * ```
 */
export function readMiniOneRec({
  windows,
  splits = [],
  split = 'leave-one-out',
  missing = [],
  index,
  item,
  info,
  name = index?.name.split('.')[0] ?? 'MiniOneRec',
}: MiniOneRecFiles): InteractionData {
  const fromInfo = info && readInfo(info);
  const semanticIdOf = index ? readSemanticIds(READER, index) : fromInfo?.semanticIds;
  const titleOf: Map<string, string | null> = item
    ? readTitles(READER, item)
    : (fromInfo?.titles ?? new Map<string, string | null>());
  const source = index?.name ?? info?.name;

  const numberOf = new Map<string, number>();
  semanticIdOf?.forEach((_, id) => numberOf.set(id, numberOf.size));
  const windowsOf = new Map<string, SplitWindow[]>();
  let spaced = 0;
  for (const [part, file] of windows.entries()) {
    for (const row of windowRows(READER, file, COLUMNS)) {
      const where = `${READER}: ${file.name} line ${row.line}`;
      spaced += row.spaced;
      const numbers = row.items.map((id) => {
        if (semanticIdOf === undefined && !numberOf.has(id)) numberOf.set(id, numberOf.size);
        const number = numberOf.get(id);
        if (number === undefined)
          throw new IlrecError(
            `${where} must have only items of ${source}, got ${show(id)}; use the index made for these windows`,
          );
        return number;
      });
      const target = row.items[row.items.length - 1];
      const given = semanticIdOf?.get(target)?.join('');
      if (row.semanticId !== '' && given !== undefined && given !== row.semanticId) {
        throw new IlrecError(
          `${where}: item_sid must be ${show(given)}, the semantic id of item ${target} in ${source}, got ` +
            `${show(row.semanticId)}; use the index made for these windows`,
        );
      }
      if (!item && !fromInfo && row.title !== '') titleOf.set(target, row.title);
      const known = windowsOf.get(row.user);
      const window = {
        history: numbers.slice(0, -1),
        target: numbers[numbers.length - 1],
        split: splits[part] ?? 'train',
      };
      if (known === undefined) windowsOf.set(row.user, [window]);
      else known.push(window);
    }
  }
  if (windowsOf.size === 0)
    throw new IlrecError(
      `${READER}: ${windows.map((file) => file.name).join(', ') || 'the dataset'} must have at least one window, ` +
        'got none; write the files again',
    );

  const notes: string[] = [];
  if (missing.length > 0)
    notes.push(
      `The split ${missing.join(', ')} is missing: each sequence starts with the user's first window in ` +
        `${windows.map((file) => file.name).join(' and ')}.`,
    );
  const { sequences, cases }: Sequences =
    split === 'published'
      ? published(windowsOf, missing, notes)
      : chainedUsers(windowsOf.values(), 'chronological', notes);
  const itemIds = [...numberOf.keys()];
  const userIds = [...windowsOf.keys()];
  notes.push(
    ...spaceNote(windows.map((file) => file.name).join(' and '), spaced),
    ...lookAlikes('item', itemIds),
    ...lookAlikes('user', userIds),
  );
  return {
    name,
    itemIds,
    userIds,
    sequences,
    notes,
    ...(cases && { cases }),
    ...(titleOf.size > 0 && { titles: itemIds.map((id) => titleOf.get(id) ?? null) }),
    ...(semanticIdOf && { semanticIds: itemIds.map((id) => semanticIdOf.get(id) as string[]) }),
  };
}

type Sequences = Pick<InteractionData, 'sequences' | 'cases'>;

/** Separates the sequences to train on from the published rows to evaluate. */
function published(
  windowsOf: ReadonlyMap<string, SplitWindow[]>,
  missing: readonly string[],
  notes: string[],
): Sequences {
  if (missing.includes('test'))
    throw new IlrecError(`${READER}: the published split must have test.csv, got none; use leave-one-out instead`);
  const hasTrain = !missing.includes('train');
  notes.push(
    hasTrain
      ? 'The rows of valid.csv and test.csv are evaluated as published; their targets are not trained on.'
      : 'The rows of test.csv are evaluated as published; their targets are not trained on. The train split is missing, so the rows of valid.csv are trained on and there is no validation.',
  );
  const sequences: Int32Array[] = [];
  const valid: PublishedCase[] = [];
  const test: PublishedCase[] = [];
  for (const [user, windows] of windowsOf) {
    const parts = publishedSplit(user, windows, hasTrain ? ['valid', 'test'] : ['test']);
    const number = sequences.push(Int32Array.from(parts.train)) - 1;
    valid.push(...parts.valid.map((row) => ({ ...row, user: number })));
    test.push(...parts.test.map((row) => ({ ...row, user: number })));
  }
  return { sequences, cases: { valid, test } };
}

/** Reads `*.info.txt`: item id -> semantic id and title. */
function readInfo(file: TextFile): { semanticIds: Map<string, string[]>; titles: Map<string, string | null> } {
  const semanticIds = new Map<string, string[]>();
  const titles = new Map<string, string | null>();
  for (const { line, number } of linesOf(READER, file)) {
    const fields = line.split('\t');
    const tokens = fields[0].match(/<[^<>]+>/g);
    const item = idOf(fields[fields.length - 1]);
    if (fields.length < 3 || tokens === null || item === null) {
      throw new IlrecError(
        `${READER}: ${file.name} line ${number} must be semantic id, title and item id, separated by tabs, got ` +
          `${show(line)}; write e.g. "<a_1><b_7>	Hammer	12"`,
      );
    }
    if (semanticIds.has(item))
      throw new IlrecError(
        `${READER}: ${file.name} line ${number} must not repeat an item, got ${show(item)} again; keep one of ` +
          'the lines',
      );
    semanticIds.set(item, tokens);
    titles.set(item, fields.slice(1, -1).join(' ').trim() || null);
  }
  return { semanticIds, titles };
}
