import { InteractionTable } from '../data/interaction_table';
import type { InteractionData, PreparedData } from '../data/types';
import { IlrecError } from '../errors';
import { type PrepareOptions, prepareInteractions } from '../preparation/prepare';
import { nameOfJson } from './names_of_json';

/** One interaction of a user with an item. */
export interface Interaction {
  readonly user: string | number | bigint;
  readonly item: string | number | bigint;
  /** When: a number that grows, or a date; the same for all interactions. Without it, they are in order of time. */
  readonly time?: number | Date;
  /** The item's title; once per item is enough. */
  readonly title?: string | null;
}

/**
 * What `Recommender.fit` learns from: interactions, what a reader such as `readPlain` returned, or what
 * `prepareInteractions` made of it.
 */
export type Interactions = readonly Interaction[] | InteractionData | PreparedData;

/** @param caller the public function that errors name. @throws IlrecError when an interaction is malformed. */
export function preparedOf(interactions: Interactions, options: PrepareOptions, caller: string): PreparedData {
  if (Array.isArray(interactions))
    return prepareInteractions(dataOf(interactions as readonly Interaction[], caller), options);
  const data = interactions as InteractionData | PreparedData | null | undefined;
  if (!Array.isArray(data?.sequences))
    throw new IlrecError(
      `${caller}: interactions must be a list of { user, item, time }, or what readPlain or prepareInteractions ` +
        `returned, got ${data === null ? 'null' : typeof data}`,
    );
  if ('report' in data && data.semanticIds !== undefined) return data;
  return prepareInteractions(data, options);
}

function dataOf(interactions: readonly Interaction[], caller: string): InteractionData {
  const table = new InteractionTable(caller, 'interactions');
  const titleOf = new Map<string, string | null>();
  const timeType = typeOf(interactions[0]?.time);
  interactions.forEach((row, at) => {
    const where = `${caller}: interaction ${at}`;
    if (typeof row !== 'object' || row === null)
      throw new IlrecError(`${where} must be an object of user, item and time, got ${String(row)}`);
    const { user, item, time, title = null } = row;
    if (typeOf(time) !== timeType)
      throw new IlrecError(
        `${where} must have a time of the same kind as the first one, ${timeType}, got ${typeOf(time)}; give numbers, ` +
          'dates, or no time at all',
      );
    const id = nameOfJson(item, `${where}: item`);
    table.add(at + 1, nameOfJson(user, `${where}: user`), id, time === undefined ? at : Number(time));
    if (title !== null || !titleOf.has(id.trim())) titleOf.set(id.trim(), titleOf.get(id.trim()) ?? title);
  });
  const hasTitles = [...titleOf.values()].some((title) => title !== null);
  return table.build('interactions', hasTitles ? titleOf : undefined);
}

function typeOf(time: unknown): string {
  return time === undefined ? 'none' : time instanceof Date ? 'a date' : `a ${typeof time}`;
}
