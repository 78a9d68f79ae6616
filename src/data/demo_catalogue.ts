import { IlrecError } from '../errors';
import { createRandom, type Random } from '../random';
import { BRANDS, BUILDS, COLOURS, DEPARTMENTS } from './demo_words';
import type { InteractionData } from './types';

/** Size and seed of the demo shop. */
export interface DemoCatalogueOptions {
  /** Default 0. */
  seed?: number;
  /** 40 to 20,000, default 400. */
  numItems?: number;
  /** 1 or more, default 3000. */
  numUsers?: number;
}

const MIN_LENGTH = 5;
const MAX_LENGTH = 15;
const POPULARITY_EXPONENT = 0.8; // Zipf, within a kind and between departments
const SUCCESSOR_WEIGHTS = [0.62, 0.2, 0.12, 0.06]; // of the four kinds that may follow, in the order the last two kinds choose
const NOISE = 0.12; // share of interactions that ignore all structure
const SAME_LINE = 6; // how many times likelier an item of the line of one of the last two items is
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
 * Generates an outdoor shop: titled items and the orders of its customers. The same seed gives the same shop everywhere.
 *
 * Items. There are 8 departments of 5 kinds ("Tent", "Fly Reel"). An item is a kind, one of 12 brands, one of the brand's two lines, a build
 * ("Ultralight") and a colour, each drawn uniformly, and its title spells them out: "Norrvik Aurora Ultralight Tent, Moss". No title occurs
 * twice. Item numbers are shuffled and tell nothing. Within a kind popularity falls by Zipf's law (exponent 0.8), in random order.
 *
 * Customers. Each has a first and a second department (popular ones likelier), a favourite brand and a favourite build, and makes 5 to 15
 * orders, each of an item not ordered before:
 * - with probability 0.12 any item, by popularity alone: noise;
 * - otherwise first a kind. Four kinds may follow each kind: three of its department and one complement from another one. Which of them is
 *   likely (0.62, 0.2, 0.12, 0.06) depends on the last kind and the one before it: who bought a tent after boots goes on otherwise than who
 *   bought it after a sleeping bag. A customer's first order is of the first (0.65) or the second department;
 * - then an item of that kind, by popularity, 6 times likelier when of the line of one of the last two items, 3 times when of the
 *   favourite brand, 2 times when of the favourite build.
 *
 * So recent order (two steps back), long-term taste, attributes that titles name, popularity and noise each carry a part. Colours carry
 * nothing. The process knows no tokens, codes or models, and its constants were set before any model ran on it.
 * @throws IlrecError when a size is out of range.
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
    const isNoise = candidates.length === 0; // or the kind is bought out
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

/** An index with probability proportional to its weight. */
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
