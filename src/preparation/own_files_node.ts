import { basename, dirname, join } from 'node:path';
import { listFolder, openText } from '../data/open_text_node';
import type { TextFile } from '../data/text_file';
import type { InteractionData } from '../data/types';
import { IlrecError } from '../errors';

/** What `ownFile` looks for. */
export interface OwnFileQuery {
  /** The public function that errors name. */
  readonly caller: string;
  /** The names in the folder to search. */
  readonly names: readonly string[];
  /** How the file's name goes on behind the dataset's name, such as '.index.json'. */
  readonly ending: string;
  /** The files of interactions, for errors. */
  readonly of: string;
  /** The dataset's name in the names of these files; none where they are named train.csv and the like. */
  readonly datasets: readonly string[];
  /** What may follow in such a name where the file's own name ends. Default a dot, as in Gear.v2 behind Gear. */
  readonly behind?: RegExp;
  /** Whether there are interactions of exactly that name. */
  readonly isDataset: (name: string) => boolean;
}

/**
 * Finds the file that belongs to a dataset, and never takes that of another one. Upper and lower case are the same.
 *
 * @returns its name, if there is one, and a note where only files of other datasets lie there.
 * @throws IlrecError when several files belong, or none does and one belongs to no other dataset.
 */
export function ownFile(query: OwnFileQuery): { name?: string; note?: string } {
  const { caller, names, ending, of, datasets, behind = /^\./, isDataset } = query;
  const found = names.filter((name) => name.endsWith(ending));
  const nameOf = (file: string): string => file.slice(0, -ending.length);
  const exact = found.filter((file) => datasets.includes(nameOf(file)));
  const near = found.filter((file) => {
    const name = nameOf(file);
    const rests = datasets.flatMap((dataset) =>
      dataset.toLowerCase().startsWith(name.toLowerCase()) ? [dataset.slice(name.length)] : [],
    );
    return datasets.length === 0 || rests.some((rest) => rest === '' || (behind.test(rest) && !isDataset(name)));
  });
  const own = exact.length > 0 ? exact : near;
  if (own.length === 1) return { name: own[0] };
  if (own.length > 1)
    throw new IlrecError(`${caller}: ${of} must have only one *${ending}, got ${own.join(', ')}; move the others away`);
  const stray = found.find((file) => !isDataset(nameOf(file)));
  if (stray !== undefined)
    throw new IlrecError(
      `${caller}: ${of} must have a *${ending} of the same name or none, got ${stray}; rename it if it was made for ` +
        'these interactions, or move it away',
    );
  return found.length === 0 ? {} : { note: `Files of another dataset were not used: ${found.join(', ')}.` };
}

/** The files beside one of interactions that have its name, with other endings. */
export async function companions<Kind extends string>(
  caller: string,
  path: string,
  ending: string,
  endings: Readonly<Record<Kind, string>>,
  folder = dirname(path),
): Promise<{ files: Partial<Record<Kind, TextFile>>; notes: string[] }> {
  const of = basename(path);
  const beside = await listFolder(dirname(path));
  return await openOwn(caller, endings, () => folder, {
    of,
    datasets: [of.endsWith(ending) ? of.slice(0, -ending.length) : of.replace(/\.[^.]*$/, '')],
    isDataset: (name) => beside.includes(name + ending),
  });
}

/** Opens the files of a dataset that `ownFile` finds; `folderOf` says where each kind lies. */
export async function openOwn<Kind extends string>(
  caller: string,
  endings: Readonly<Record<Kind, string>>,
  folderOf: (kind: Kind) => string,
  query: Omit<OwnFileQuery, 'caller' | 'names' | 'ending'>,
): Promise<{ files: Partial<Record<Kind, TextFile>>; notes: string[] }> {
  const files: Partial<Record<Kind, TextFile>> = {};
  const notes: string[] = [];
  for (const [kind, ending] of Object.entries(endings) as [Kind, string][]) {
    const folder = folderOf(kind);
    const { name, note } = ownFile({ caller, names: await listFolder(folder), ending, ...query });
    if (name !== undefined) files[kind] = await openText(caller, join(folder, name));
    if (note !== undefined) notes.push(note);
  }
  return { files, notes };
}

/** The data with further notes. */
export function withNotes(data: InteractionData, notes: readonly string[]): InteractionData {
  return { ...data, notes: [...(data.notes ?? []), ...notes] };
}

/**
 * The name of the dataset in the names of its splits: Gear in Gear_train.csv, all of Gear_5_2016.csv, none in train.csv.
 *
 * @throws IlrecError when they name several datasets. What follows a digit may differ, such as dates.
 */
export function datasetsOf(caller: string, files: readonly TextFile[]): string[] {
  const datasets = new Map<string, string>();
  for (const { name } of files) {
    const generic = /^(?:(.*)[._-])?(?:train|valid|validation|val|dev|test|data|part)(?:[._-].*)?\.csv$/i.exec(name);
    const dataset = generic === null ? name.replace(/\.csv$/i, '') : (generic[1] ?? '');
    if (dataset !== '') datasets.set(dataset, dataset.replace(/[._-]\d.*$/, '').toLowerCase());
  }
  if (new Set(datasets.values()).size > 1)
    throw new IlrecError(
      `${caller}: the splits must be of one dataset, got ${files.map(({ name }) => name).join(', ')}; move the others ` +
        'away or name them train.csv, valid.csv and test.csv',
    );
  return [...datasets.keys()];
}
