import { IlrecError } from '../errors';
import { columnOf, readCsv } from './csv_rows';
import { readSemanticIds, readTitles } from './lc_rec';
import { parsePythonList } from './python_list';
import { linesOf, show, type TextFile } from './text_file';
import type { InteractionData, PublishedCase } from './types';
import { publishedSplit, type SplitWindow } from './published_split';
import { chainWindows } from './window_chain';

const READER = 'readMiniOneRec';

/** The files of a MiniOneRec dataset. */
export interface MiniOneRecFiles {
  /** The CSVs of the splits there are, in the order train, valid, test. */
  windows: TextFile[];
  /** Which split each of `windows` is; needed for `split: 'published'`. */
  splits?: SplitWindow['split'][];
  /**
   * `leave-one-out` (default) or `published`: the rows of valid.csv and test.csv are evaluated and their targets are not trained on; without a
   * train split valid's are, and only test.csv is evaluated.
   */
  split?: 'leave-one-out' | 'published';
  /** Splits that are not there, named in the report. */
  missing?: string[];
  /** `*.index.json`: item -> semantic id tokens. */
  index?: TextFile;
  /** `*.item.json`: item -> { title, ... }. */
  item?: TextFile;
  /** `*.info.txt`: semantic id, title and item number, tab-separated; used where index or item are not given. */
  info?: TextFile;
  /** Dataset name; default 'MiniOneRec' or the index's file name before its first dot. */
  name?: string;
}

/**
 * Reads MiniOneRec's CSVs: each row is a window of up to ten items (Python lists) and the item that followed.
 *
 * The windows of a user overlap and are chained back into one sequence, which starts where the user's first window starts. Sequences are
 * split leave-one-out afterwards like those of every other format, unless the published split is asked for; the notes say which.
 * The catalogue is every key of the index, else of the info file, else of the windows.
 * @throws IlrecError naming file, line, value and rule.
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
  for (const [at, file] of windows.entries()) {
    for (const row of windowRows(file)) {
      const place = `${READER}: ${file.name} line ${row.line}`;
      const numbers = row.items.map((id) => {
        if (semanticIdOf === undefined && !numberOf.has(id)) numberOf.set(id, numberOf.size);
        const number = numberOf.get(id);
        if (number === undefined)
          throw new IlrecError(
            `${place} must have only items of ${source}, got ${show(id)}; use the index made for these windows`,
          );
        return number;
      });
      const target = row.items[row.items.length - 1];
      const given = semanticIdOf?.get(target)?.join('');
      if (row.semanticId !== '' && given !== undefined && given !== row.semanticId) {
        throw new IlrecError(
          `${place}: item_sid must be ${show(given)}, the semantic id of item ${target} in ${source}, got ${show(row.semanticId)}; use the index made for these windows`,
        );
      }
      if (!item && !fromInfo && row.title !== '') titleOf.set(target, row.title);
      const known = windowsOf.get(row.user);
      const window = {
        history: numbers.slice(0, -1),
        target: numbers[numbers.length - 1],
        split: splits[at] ?? 'train',
      };
      if (known === undefined) windowsOf.set(row.user, [window]);
      else known.push(window);
    }
  }
  if (windowsOf.size === 0)
    throw new IlrecError(
      `${READER}: ${windows.map((file) => file.name).join(', ') || 'the dataset'} must have at least one window, got none; write the files again`,
    );

  const notes: string[] = [];
  if (missing.length > 0)
    notes.push(
      `The split ${missing.join(', ')} is not there: each sequence starts with the user's first window in ${windows.map((file) => file.name).join(' and ')}.`,
    );
  const { sequences, cases } = split === 'published' ? published(windowsOf, missing, notes) : chained(windowsOf, notes);
  const itemIds = [...numberOf.keys()];
  return {
    name,
    itemIds,
    userIds: [...windowsOf.keys()],
    sequences,
    notes,
    ...(cases && { cases }),
    ...(titleOf.size > 0 && { titles: itemIds.map((id) => titleOf.get(id) ?? null) }),
    ...(semanticIdOf && { semanticIds: itemIds.map((id) => semanticIdOf.get(id) as string[]) }),
  };
}

type Sequences = Pick<InteractionData, 'sequences' | 'cases'>;

/** Whole sequences, to be split leave-one-out. */
function chained(windowsOf: ReadonlyMap<string, SplitWindow[]>, notes: string[]): Sequences {
  notes.push('Sequences are split leave-one-out, not by the published split in time.');
  let gaps = 0;
  const sequences = [...windowsOf.values()].map((list) => {
    const chain = chainWindows(list);
    gaps += chain.gaps;
    return Int32Array.from(chain.sequence);
  });
  if (gaps > 0)
    notes.push(`${gaps} windows overlap with no other of their user; they are appended in the order of the files.`);
  return { sequences };
}

/** Sequences to train on, and the published rows to evaluate. */
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
      : 'The rows of test.csv are evaluated as published and their targets are not trained on; those of valid.csv are, since the train split is missing, so that there is no validation.',
  );
  const sequences: Int32Array[] = [];
  const valid: PublishedCase[] = [];
  const test: PublishedCase[] = [];
  for (const [user, windows] of windowsOf) {
    const parts = publishedSplit(user, windows, hasTrain ? ['valid', 'test'] : ['test']);
    sequences.push(Int32Array.from(parts.train));
    valid.push(...parts.valid);
    test.push(...parts.test);
  }
  return { sequences, cases: { valid, test } };
}

interface WindowRow {
  user: string;
  items: string[];
  semanticId: string;
  title: string;
  line: number;
}

function* windowRows(file: TextFile): Generator<WindowRow> {
  const { header, rows } = readCsv(READER, file);
  const place = (column: string, optional = false): number => columnOf(READER, file.name, header, [column], optional);
  const places = {
    user: place('user_id'),
    history: place('history_item_id'),
    item: place('item_id'),
    semanticId: place('item_sid', true),
    title: place('item_title', true),
  };
  for (const { fields, line } of rows) {
    const at = `${READER}: ${file.name} line ${line}`;
    const user = fields[places.user].trim();
    const item = fields[places.item].trim();
    if (user === '')
      throw new IlrecError(`${at}: user_id must not be blank, got ${show(fields[places.user])}; name the user`);
    if (item === '')
      throw new IlrecError(`${at}: item_id must not be blank, got ${show(fields[places.item])}; name the item`);
    let history: string[];
    try {
      history = parsePythonList(fields[places.history]).map(String);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      throw new IlrecError(
        `${at}: history_item_id must be a Python list such as [12, 7] (${error.message}), got ${show(fields[places.history])}; write the list again`,
      );
    }
    yield {
      user,
      items: [...history, item],
      line,
      semanticId: places.semanticId < 0 ? '' : fields[places.semanticId].trim(),
      title: places.title < 0 ? '' : fields[places.title].trim(),
    };
  }
}

/** Reads `*.info.txt`: item number -> semantic id and title. */
function readInfo(file: TextFile): { semanticIds: Map<string, string[]>; titles: Map<string, string | null> } {
  const semanticIds = new Map<string, string[]>();
  const titles = new Map<string, string | null>();
  for (const { line, number } of linesOf(READER, file)) {
    const fields = line.split('\t');
    const tokens = fields[0].match(/<[^<>]+>/g);
    const item = fields[fields.length - 1].trim();
    if (fields.length < 3 || tokens === null || item === '') {
      throw new IlrecError(
        `${READER}: ${file.name} line ${number} must be semantic id, title and item number with tabs between, got ${show(line)}; write e.g. "<a_1><b_7>	Hammer	12"`,
      );
    }
    if (semanticIds.has(item))
      throw new IlrecError(
        `${READER}: ${file.name} line ${number} must not repeat an item, got ${show(item)} again; keep one of the lines`,
      );
    semanticIds.set(item, tokens);
    titles.set(item, fields.slice(1, -1).join(' ').trim() || null);
  }
  return { semanticIds, titles };
}
