import { IlrecError } from '../errors';
import { createRandom, type Random } from '../random';
import { BRANDS, BUILDS, COLOURS, DEPARTMENTS } from './demo_words';
import type { InteractionData } from './types';

/** Options of `demoCatalogue`. */
export interface DemoCatalogueOptions {
  /** Any integer; the same seed gives the same shop on every platform. Default 0. */
  seed?: number;
  /** Items in the catalogue, 40 to 20,000. Default 400. */
  numItems?: number;
  /** Customers, 1 or more. Default 3000. */
  numUsers?: number;
}

const MIN_LENGTH = 5;
const MAX_LENGTH = 15;
const POPULARITY_EXPONENT = 0.8; // Zipf, within a kind and between departments
// of the four kinds that may follow; their order depends on the last two
const SUCCESSOR_WEIGHTS = [0.62, 0.2, 0.12, 0.06];
const NOISE = 0.12; // share of the orders that ignore all structure
const SAME_LINE = 6; // an item of the same line as one of the last two items is this many times likelier
const FAVOURITE_BRAND = 3;
const FAVOURITE_BUILD = 2;
const SECOND_DEPARTMENT = 0.35;

interface Item {
  kind: number;
  brand: number;
  line: number;
  build: number;
  title: string;
  weight: number;
}

/**
 * Generates an outdoor shop: items with titles, and the orders of its customers.
 *
 * Items. There are 8 departments with 5 kinds each ("Tent", "Fly Reel"). An item has a kind, one of 12 brands, one of
 * the brand's two lines, a build ("Ultralight") and a colour, drawn uniformly. Its title spells them out: "Norrvik
 * Aurora Ultralight Tent, Moss". All titles differ. Item numbers are shuffled and carry no information. Within a kind,
 * popularity follows Zipf's law (exponent 0.8), in random order.
 *
 * Customers. Each has a first and a second department (popular ones are likelier), a favourite brand and a favourite
 * build. Each makes 5 to 15 orders and never orders an item twice. An order is drawn like this:
 * - With probability 0.12 it is noise: any item, by popularity alone.
 * - Otherwise its kind is drawn first. Four kinds may follow each kind: three of the same department and one of
 *   another. The last two kinds decide which of the four is likely (0.62, 0.2, 0.12, 0.06), so a tent bought after
 *   boots leads elsewhere than a tent bought after a sleeping bag. The first order is from the customer's first (0.65)
 *   or second department.
 * - Then an item of that kind is drawn by popularity. It is 6 times likelier when its line is that of one of the last
 *   two items, 3 times when it is of the favourite brand, and 2 times when it has the favourite build.
 *
 * Thus the last two orders, long-term taste, words of the titles, popularity and noise each explain a part; colours
 * explain nothing. The process knows nothing of tokens or models, and its constants were set before any model was
 * trained on it.
 *
 * @param options size and seed; see `DemoCatalogueOptions`.
 * @returns the items, titles, users and sequences; `prepareInteractions` gives the items semantic ids.
 * @throws IlrecError when `numItems` or `numUsers` is out of range.
 * @example
 * ```ts
 * import { demoCatalogue } from 'tfjs-ilrec';
 *
 * const { itemIds, titles, sequences } = demoCatalogue({ numItems: 40, numUsers: 60 });
 * console.log(itemIds.length, sequences.length); // 40 60
 * console.log(titles?.[0]); // Tern & Co Harbour Expedition Camp Lantern, Sand
 * ```
 */
export function demoCatalogue({
  seed = 0,
  numItems = 400,
  numUsers = 3000,
}: DemoCatalogueOptions = {}): InteractionData {
  const numKinds = DEPARTMENTS.length * DEPARTMENTS[0].length;
  if (!Number.isInteger(numItems) || numItems < numKinds || numItems > 20_000)
    throw new IlrecError(
      `demoCatalogue: numItems must be an integer from ${numKinds} to 20000, got ${numItems}; 400 is the default`,
    );
  if (!Number.isInteger(numUsers) || numUsers < 1)
    throw new IlrecError(
      `demoCatalogue: numUsers must be an integer of 1 or more, got ${numUsers}; 3000 is the default`,
    );
  const random = createRandom(seed);
  const items = makeItems(numItems, numKinds, random);
  const shop: Shop = {
    items,
    itemsOfKind: Array.from({ length: numKinds }, (_, kind) =>
      items.flatMap((item, number) => (item.kind === kind ? [number] : [])),
    ),
    successors: makeSuccessors(numKinds, random),
    departmentWeights: random.shuffle(DEPARTMENTS.map((_, rank) => (rank + 1) ** -POPULARITY_EXPONENT)),
  };
  const digits = String(numItems).length;
  return {
    name: 'demo',
    itemIds: items.map((_, item) => `gear-${String(item + 1).padStart(digits, '0')}`),
    titles: items.map(({ title }) => title),
    userIds: Array.from({ length: numUsers }, (_, user) => `customer-${user + 1}`),
    sequences: Array.from({ length: numUsers }, () => orders(shop, random)),
  };
}

function makeItems(numItems: number, numKinds: number, random: Random): Item[] {
  const perDepartment = DEPARTMENTS[0].length;
  const titles = new Set<string>();
  const items = Array.from({ length: numItems }, (_, i): Item => {
    const kind = i % numKinds;
    const weight = (Math.floor(i / numKinds) + 1) ** -POPULARITY_EXPONENT;
    for (;;) {
      const brand = random.int(BRANDS.length);
      const line = random.int(2);
      const build = random.int(BUILDS.length);
      const colour = COLOURS[random.int(COLOURS.length)];
      const noun = DEPARTMENTS[Math.floor(kind / perDepartment)][kind % perDepartment];
      const title = `${BRANDS[brand].brand} ${BRANDS[brand].lines[line]} ${BUILDS[build]} ${noun}, ${colour}`;
      if (titles.size < titles.add(title).size) return { kind, brand, line: 2 * brand + line, build, title, weight };
    }
  });
  return random.shuffle(items);
}

/** successors[last][before]: the four kinds that may follow, likeliest first. */
function makeSuccessors(numKinds: number, random: Random): number[][][] {
  const perDepartment = DEPARTMENTS[0].length;
  return Array.from({ length: numKinds }, (_, last) => {
    const start = last - (last % perDepartment);
    const others = Array.from({ length: perDepartment }, (_, i) => start + i).filter((kind) => kind !== last);
    let complement = random.int(numKinds);
    while (complement >= start && complement < start + perDepartment) complement = random.int(numKinds);
    const four = [...random.shuffle(others).slice(0, SUCCESSOR_WEIGHTS.length - 1), complement];
    return Array.from({ length: numKinds }, () => random.shuffle([...four]));
  });
}

interface Shop {
  items: Item[];
  itemsOfKind: number[][];
  successors: number[][][];
  departmentWeights: number[];
}

/** The orders of one new customer. */
function orders({ items, itemsOfKind, successors, departmentWeights }: Shop, random: Random): Int32Array {
  const perDepartment = DEPARTMENTS[0].length;
  const departments = [draw(departmentWeights, random), draw(departmentWeights, random)];
  const favouriteBrand = random.int(BRANDS.length);
  const favouriteBuild = random.int(BUILDS.length);
  const length = MIN_LENGTH + random.int(MAX_LENGTH - MIN_LENGTH + 1);
  const ordered: number[] = [];
  const taken = new Set<number>();
  while (ordered.length < length) {
    const last = items[ordered[ordered.length - 1]];
    const before = items[ordered[ordered.length - 2]] ?? last;
    let candidates: number[] = [];
    if (random.next() >= NOISE) {
      const kind =
        last === undefined
          ? departments[random.next() < SECOND_DEPARTMENT ? 1 : 0] * perDepartment + random.int(perDepartment)
          : successors[last.kind][before.kind][draw(SUCCESSOR_WEIGHTS, random)];
      candidates = itemsOfKind[kind].filter((item) => !taken.has(item));
    }
    const isNoise = candidates.length === 0; // also when the customer owns every item of the kind
    if (isNoise) candidates = Array.from(items.keys()).filter((item) => !taken.has(item));
    const weights = candidates.map((number) => {
      const item = items[number];
      if (isNoise) return item.weight;
      return (
        item.weight *
        (item.line === last?.line || item.line === before?.line ? SAME_LINE : 1) *
        (item.brand === favouriteBrand ? FAVOURITE_BRAND : 1) *
        (item.build === favouriteBuild ? FAVOURITE_BUILD : 1)
      );
    });
    const next = candidates[draw(weights, random)];
    ordered.push(next);
    taken.add(next);
  }
  return Int32Array.from(ordered);
}

/** Draws an index with probability proportional to its weight. */
function draw(weights: readonly number[], random: Random): number {
  let total = 0;
  for (const weight of weights) total += weight;
  let left = random.next() * total;
  for (let i = 0; i < weights.length - 1; i++) {
    left -= weights[i];
    if (left < 0) return i;
  }
  return weights.length - 1;
}
