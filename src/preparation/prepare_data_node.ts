import { openText } from '../data/open_text_node';
import type { PreparedData } from '../data/types';
import { checkPrepareOptions, prepareInteractions, type PrepareOptions } from './prepare';
import { checkFolder, writeFolder } from './prepared_folder_node';
import { type DataFormat, readDataset, type ReadDatasetOptions, type SplitRule } from './read_dataset_node';
import { readItemVectors } from './read_item_vectors';

const CALLER = 'prepareData';

/** Options of `prepareData`: what to read, where to write, and how to prepare. */
export interface PrepareDataOptions extends Omit<PrepareOptions, 'vectors'> {
  format: DataFormat;
  /** The dataset's folder, or its file of interactions. */
  input: string;
  /** The folder to write. An earlier prepared folder is replaced; a folder with anything else is refused. */
  out: string;
  /**
   * Item vectors: a JSONL file with one {"id", "vector"} per line, or a map from item id to vector. Default: made from
   * the data.
   */
  vectors?: string | PrepareOptions['vectors'];
  /** csv and windows: a file of item and title. Default: items.* or titles.* in the folder, if there is one. */
  titles?: string;
  /**
   * csv: which column is what, see `TableColumns`; default: the usual names. windows: the names of the columns; default
   * user_id, history_item_id and item_id.
   */
  columns?: ReadDatasetOptions['columns'];
  /** Tables of interactions: takes only rows with at least this rating. Default: all rows. */
  minRating?: number;
  /**
   * Tables of interactions: takes only rows with one of these events. Default: all rows, but only the purchases of
   * steam-200k.csv.
   */
  events?: readonly string[];
  /** minionerec and windows: 'published' evaluates the rows of its test.csv. Default 'leave-one-out'. */
  split?: SplitRule;
}

/**
 * Reads a dataset, filters it, gives it semantic ids if it has none, and writes a prepared folder.
 *
 * `ilrec prepare` is this function. `writePrepared` describes the folder.
 *
 * @param options what to read, where to write, and how to prepare; see `PrepareDataOptions` and `PrepareOptions`.
 * @returns the prepared data with its report and checksum, as `loadPrepared` reads it again.
 * @throws IlrecError when an option is out of range, a file is missing or malformed, the filter leaves nothing, or
 *   `out` cannot be written. `out` is then as it was.
 * @example
 * ```ts
 * import { prepareData } from 'tfjs-ilrec/node';
 *
 * const { itemIds, semanticIds, report } = await prepareData({ format: 'csv', input: 'shop', out: 'prepared' });
 * console.log(report.format, semanticIds.length === itemIds.length); // csv true
 * ```
 */
export async function prepareData({
  format,
  input,
  out,
  vectors,
  titles,
  split,
  columns,
  minRating,
  events,
  ...options
}: PrepareDataOptions): Promise<PreparedData> {
  checkPrepareOptions(CALLER, options);
  await checkFolder(CALLER, out);
  const data = await readDataset({ format, input, titles, split, columns, minRating, events });
  const vectorMap = typeof vectors === 'string' ? readItemVectors(CALLER, await openText(CALLER, vectors)) : vectors;
  return await writeFolder(CALLER, prepareInteractions(data, { ...options, vectors: vectorMap }, format), out);
}
