import { IlrecError } from '../errors';
import { idOf, lookAlikes, parseJsonObject, show, spaceNote, type TextFile } from './text_file';
import { titlePlaces } from './title_field';
import type { InteractionData } from './types';

const READER = 'readLcRec';

/** The files of an LC-Rec dataset, for `readLcRec`. */
export interface LcRecFiles {
  /** `*.inter.json`: user -> items in time order. */
  inter: TextFile;
  /** `*.index.json`: item -> the tokens of its semantic id. Without it, `prepareInteractions` makes semantic ids. */
  index?: TextFile;
  /** `*.item.json`: item -> { title, ... }; without `title`, the field `*_title`, `name` or `*_name`. */
  item?: TextFile;
  /** Name of the dataset. Default: the name of `inter` up to its first dot. */
  name?: string;
}

/**
 * Reads an LC-Rec dataset (the file layout of LC-Rec, LETTER and GenRec).
 *
 * The catalogue is every key of the index, with or without interactions, since every item with a semantic id can be
 * recommended. Without an index it is every item of the item file and of the interactions. The keys are the item ids.
 *
 * @param files the texts of the files; see `LcRecFiles`.
 * @returns users and items in the order of the files, with titles and semantic ids where given.
 * @throws IlrecError when a file is not such a JSON object, is empty, or names an item that the index lacks; the
 *   message names the file, the key and the value.
 * @example
 * ```ts
 * import { readLcRec } from 'tfjs-ilrec';
 *
 * const data = readLcRec({
 *   inter: { name: 'Toys.inter.json', text: '{"u1": [0, 1, 0], "u2": [1]}' },
 *   index: { name: 'Toys.index.json', text: '{"0": ["<a_1>", "<b_2>"], "1": ["<a_3>", "<b_1>"]}' },
 * });
 * console.log(data.name, data.itemIds, data.userIds); // Toys [ '0', '1' ] [ 'u1', 'u2' ]
 * console.log(data.sequences[0]); // Int32Array(3) [ 0, 1, 0 ]
 * ```
 */
export function readLcRec({ inter, index, item, name = inter.name.split('.')[0] }: LcRecFiles): InteractionData {
  const notes: string[] = [];
  const semanticIdOf = index === undefined ? undefined : readSemanticIds(READER, index);
  const titleOf = item === undefined ? undefined : readTitles(READER, item);
  const numberOf = new Map<string, number>();
  const add = (id: string): void => void (numberOf.has(id) || numberOf.set(id, numberOf.size));
  semanticIdOf?.forEach((_, id) => add(id));
  if (semanticIdOf === undefined) titleOf?.forEach((_, id) => add(id));

  const userIds: string[] = [];
  const sequences: Int32Array[] = [];
  let spaced = 0;
  for (const [user, value] of parseJsonObject(READER, inter)) {
    if (!Array.isArray(value))
      throw new IlrecError(
        `${READER}: ${inter.name} user ${show(user)} must have a list of items, got ${show(value)}; write the ` +
          'items in time order',
      );
    const sequence = new Int32Array(value.length);
    for (let t = 0; t < value.length; t++) {
      const id = idOf(value[t]);
      if (id === null)
        throw new IlrecError(
          `${READER}: ${inter.name} user ${show(user)} must list items by number or text, got ${show(value[t])} ` +
            `at place ${t}; write the item's key`,
        );
      if (typeof value[t] === 'string' && value[t] !== id) spaced++;
      if (semanticIdOf === undefined) add(id);
      const number = numberOf.get(id);
      if (number === undefined) {
        throw new IlrecError(
          `${READER}: ${inter.name} user ${show(user)} must have only items of ${index?.name}, got ${show(id)} ` +
            `at place ${t}; use the index.json made for these interactions`,
        );
      }
      sequence[t] = number;
    }
    userIds.push(user);
    sequences.push(sequence);
  }
  if (userIds.length === 0)
    throw new IlrecError(
      `${READER}: ${inter.name} must have at least one user, got an empty object; write the file again`,
    );

  const itemIds = [...numberOf.keys()];
  notes.push(...spaceNote(inter.name, spaced), ...lookAlikes('item', itemIds), ...lookAlikes('user', userIds));
  if (titleOf !== undefined) {
    const unknown = [...titleOf.keys()].filter((id) => !numberOf.has(id)).length;
    if (unknown > 0) notes.push(`${unknown} items of ${item?.name} have no semantic id and were left out.`);
  }
  return {
    name,
    itemIds,
    userIds,
    sequences,
    ...(titleOf && { titles: itemIds.map((id) => titleOf.get(id) ?? null) }),
    ...(semanticIdOf && { semanticIds: itemIds.map((id) => semanticIdOf.get(id) as string[]) }),
    notes,
  };
}

/**
 * Reads `*.index.json`: item -> the tokens of its semantic id, coarse to fine.
 *
 * @throws IlrecError when there is no item, or an item has no list of tokens.
 */
export function readSemanticIds(reader: string, file: TextFile): Map<string, string[]> {
  const semanticIds = new Map<string, string[]>();
  for (const [item, value] of parseJsonObject(reader, file)) {
    if (
      !Array.isArray(value) ||
      value.length === 0 ||
      !value.every((token) => typeof token === 'string' && token.trim() !== '')
    ) {
      throw new IlrecError(
        `${reader}: ${file.name} item ${show(item)} must have a list of tokens such as ["<a_1>","<b_7>"], got ` +
          `${show(value)}; write its semantic id`,
      );
    }
    semanticIds.set(item, value as string[]);
  }
  if (semanticIds.size === 0)
    throw new IlrecError(
      `${reader}: ${file.name} must have at least one item, got an empty object; leave the file out and semantic ` +
        'ids are made',
    );
  return semanticIds;
}

/**
 * Reads `*.item.json`: item -> title, or null without one. `titlePlaces` chooses the field.
 *
 * @throws IlrecError when an item is not an object, has several titles, or its title is not a text.
 */
export function readTitles(reader: string, file: TextFile): Map<string, string | null> {
  const titles = new Map<string, string | null>();
  for (const [item, value] of parseJsonObject(reader, file)) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new IlrecError(
        `${reader}: ${file.name} item ${show(item)} must be an object such as {"title":"..."}, got ` +
          `${show(value)}; write the item's fields`,
      );
    }
    const fields = Object.keys(value);
    const places = titlePlaces(fields);
    if (places.length > 1)
      throw new IlrecError(
        `${reader}: ${file.name} item ${show(item)} must have only one title, got ` +
          `${places.map((place) => show(fields[place])).join(' and ')}; name the right one "title" and remove others`,
      );
    const title = places.length === 0 ? null : (value as Record<string, unknown>)[fields[places[0]]];
    if (title !== null && typeof title !== 'string') {
      throw new IlrecError(
        `${reader}: ${file.name} item ${show(item)} must have a text as title, got ${show(title)}; quote it or ` +
          'remove it',
      );
    }
    titles.set(item, title?.trim() || null);
  }
  return titles;
}
