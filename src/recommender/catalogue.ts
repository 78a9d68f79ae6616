import { IlrecError } from '../errors';
import type { RunItem } from '../methods/method';
import { quoted } from './printable';
import { folded, type NamedItem, similarNames } from './similar_names';

/** A history as item numbers, and the names of it that no item has. */
export interface FoundItems {
  /** Item numbers, in the order of the names. */
  readonly history: readonly number[];
  readonly unknown: readonly string[];
}

/** The items of a run, found by id or by title. */
export class Catalogue {
  private readonly byId: ReadonlyMap<string, number>;
  private byTitle: Map<string, number[]> | null = null;

  constructor(readonly items: readonly Pick<RunItem, 'id' | 'title'>[]) {
    this.byId = new Map(items.map(({ id }, item) => [id, item]));
  }

  /**
   * The item of an id, or else of a title, in which case and spaces do not matter.
   *
   * @param caller the public function that errors name.
   * @returns null for none.
   * @throws IlrecError when several items have the title.
   */
  find(name: string, caller: string): number | null {
    const ofId = this.byId.get(name) ?? this.byId.get(name.trim());
    if (ofId !== undefined) return ofId;
    const found = this.titles().get(folded(name)) ?? [];
    if (found.length > 1)
      throw new IlrecError(
        `${caller}: an item must be named by its id where its title is not its own, got ${quoted(name)}, the title of ` +
          `${found.length} items; use one of the ids ${this.idsOf(found.slice(0, 3))}`,
      );
    return found[0] ?? null;
  }

  /**
   * The items of a history.
   *
   * @param skipUnknown reports unknown names instead of refusing them.
   * @throws IlrecError that suggests others for the first unknown name, or when a title is not one item's alone.
   */
  findAll(names: readonly string[], caller: string, skipUnknown = false): FoundItems {
    const history: number[] = [];
    const unknown: string[] = [];
    for (const name of names) {
      const item = this.find(name, caller);
      if (item !== null) history.push(item);
      else unknown.push(name);
    }
    if (unknown.length > 0 && !skipUnknown)
      throw new IlrecError(
        `${caller}: a history must name items of the catalogue by id or title, got ${quoted(unknown[0])}` +
          `${unknown.length > 1 ? ` and ${unknown.length - 1} more that it does not have` : ''}; ` +
          `${this.suggestion(unknown[0])} (skipUnknown, --skip-unknown, leaves unknown items out)`,
      );
    return { history, unknown };
  }

  /** The item of a name. @throws IlrecError that suggests others. */
  findOne(name: string, caller: string): number {
    const item = this.find(name, caller);
    if (item !== null) return item;
    throw new IlrecError(
      `${caller}: the item must be one of the catalogue, by id or title, got ${quoted(name)}; ${this.suggestion(name)}`,
    );
  }

  /**
   * Cuts a list such as `a,b` into names. Names may hold commas themselves: where not all parts are ids, the longest
   * parts that name an item are taken together.
   */
  split(text: string): string[] {
    const parts = text.split(',');
    const trimmed = parts.map((part) => part.trim()).filter((part) => part !== '');
    if (trimmed.every((part) => this.byId.has(part))) return trimmed;
    const mostCommas = this.mostCommas();
    const names: string[] = [];
    for (let at = 0; at < parts.length;) {
      let end = Math.min(parts.length, at + mostCommas + 1);
      while (end > at + 1 && !this.has(parts.slice(at, end).join(','))) end--;
      const name = parts.slice(at, end).join(',').trim();
      if (name !== '') names.push(name);
      at = end;
    }
    return names;
  }

  /** Whether an item has this id. */
  hasId(id: string): boolean {
    return this.byId.has(id);
  }

  /** Whether one of the names is unknown. */
  lacks(names: readonly string[]): boolean {
    return names.some((name) => !this.has(name));
  }

  private has(name: string): boolean {
    return this.byId.has(name.trim()) || this.titles().has(folded(name));
  }

  private mostCommas(): number {
    let most = 0;
    for (const { id, title } of this.items)
      most = Math.max(most, id.split(',').length, (title ?? '').split(',').length);
    return most - 1;
  }

  private titles(): Map<string, number[]> {
    if (this.byTitle !== null) return this.byTitle;
    const byTitle = new Map<string, number[]>();
    this.items.forEach(({ title }, item) => {
      if (title === null) return;
      const key = folded(title);
      const same = byTitle.get(key);
      if (same === undefined) byTitle.set(key, [item]);
      else same.push(item);
    });
    return (this.byTitle = byTitle);
  }

  private suggestion(name: string): string {
    const near = similarNames(folded(name), this.named());
    if (near.length === 0) return 'the ids and titles are in items.jsonl of the run';
    const shown = near.map((item) => {
      const { id, title } = this.items[item];
      return title === null ? quoted(id) : `${quoted(id)}, ${quoted(title)}`;
    });
    return `did you mean ${shown.join(', or ')}?`;
  }

  private *named(): Generator<NamedItem> {
    for (const [item, { id, title }] of this.items.entries())
      yield { item, texts: title === null ? [folded(id)] : [folded(id), folded(title)] };
  }

  private idsOf(items: readonly number[]): string {
    return items.map((item) => quoted(this.items[item].id)).join(', ');
  }
}
