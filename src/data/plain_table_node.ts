import { basename } from 'node:path';
import { type PlainOptions, PlainReader, type TableForm, type TitleOptions, TitleReader } from './plain_table';
import { readPieces } from './text_pieces_node';
import type { InteractionData } from './types';

/** A table of interactions and optionally one of titles, as files. */
export interface PlainPaths extends PlainOptions {
  interactions: string;
  titles?: string;
  /** Name of the dataset. Default: the name of `interactions` up to its first dot. */
  name?: string;
  /** What a published dataset has that a table of one's own has not. */
  form?: TableForm;
  /** The same for its titles. */
  titleForm?: TitleOptions & { latin1?: boolean };
}

const READER = 'readPlain';

/**
 * Reads tables as `readPlain` does, of any size: a file is read piece by piece.
 *
 * @param caller the public function that errors of opening a file name.
 */
export async function readPlainPaths(
  caller: string,
  { interactions, titles, name, form, titleForm = {}, ...options }: PlainPaths,
): Promise<InteractionData> {
  const file = basename(interactions);
  const reader = new PlainReader(READER, file, { ...options, ...form });
  await feed(reader, readPieces(caller, interactions));
  const dataset = name ?? file.split('.')[0];
  if (titles === undefined) return reader.build(dataset);
  const { latin1, ...titleOptions } = titleForm;
  const ofTitles = new TitleReader(READER, basename(titles), { columns: options.columns, ...titleOptions });
  await feed(ofTitles, readPieces(caller, titles, { todo: 'check the path of the titles', latin1 }));
  return reader.build(dataset, ofTitles.titles);
}

async function feed(reader: PlainReader | TitleReader, pieces: AsyncIterable<string>): Promise<void> {
  for await (const piece of pieces) reader.push(piece, false);
  reader.push('', true);
}
