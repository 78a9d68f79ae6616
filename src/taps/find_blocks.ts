import type { Cut } from './cut_chain';
import { kindOf, sortOf } from './layer_kinds';
import type { PartGraph, Site } from './model_graph';
import { mixesPositions } from './probe_layer';

/** A stretch of the chain that may be a block, or a part of one. */
interface Stretch {
  /** Index in the chain of the cut that ends it. */
  readonly index: number;
  /** What its layers are, sorted. */
  readonly sort: string;
  readonly mixes: boolean;
  readonly isNorm: boolean;
  readonly members: readonly Site[];
}

interface Repetition {
  /** The last stretch of each repetition, first to last. */
  readonly ends: readonly Stretch[];
  /** Numbers of stretches that let positions see each other, in the repetitions and after them. */
  readonly mixers: number;
  readonly mixersAfter: number;
  /** False where the last block's norm is probably the model's final one. */
  readonly likely: boolean;
}

/**
 * The blocks of a chain: the sequence of layer classes that is repeated most often, with as few position-mixing layers
 * after it as possible. Dropout does not count. The first repetition may lack its beginning, where layers stand between
 * blocks instead of before each. Blocks of two classes in turn (ABAB, AABAA) are each a block.
 *
 * @returns indices of the cuts that end the blocks, first to last; fewer than 2 when nothing is repeated.
 */
export function findBlocks(chain: readonly Cut[], graph: PartGraph): number[] {
  const stretches = chain
    .map(({ members }, index) => stretchOf(members, index, graph))
    .filter(({ sort }) => sort !== '');
  const best = bestRepetition(stretches);
  const found = best?.ends.map(({ index }) => index) ?? [];
  const numMixers = stretches.filter(({ mixes }) => mixes).length;
  if (best !== null && best.mixers === best.ends.length && best.mixers === numMixers) return found;
  return inTurn(stretches, graph, best) ?? found;
}

function bestRepetition(stretches: readonly Stretch[]): Repetition | null {
  let best: Repetition | null = null;
  for (let end = stretches.length; end > 0; end--) {
    for (let period = 1; period <= end; period++) {
      const found = repetition(stretches, end, period);
      if (found !== null && (best === null || better(found, best))) best = found;
    }
  }
  return best;
}

/**
 * The blocks where layers that mix positions count as one class, if that gives more of them than `best`. What begins the
 * repetition and occurs only there is no block (learned positions), and what ends it must occur before.
 */
function inTurn(stretches: readonly Stretch[], graph: PartGraph, best: Repetition | null): number[] | null {
  const partsWithin = partsOf(graph);
  const sortWithin = (site: Site): string => (mixesPositions(site) ? '*' : sortOf(site, partsWithin));
  const alike = stretches.map((stretch) =>
    stretch.mixes ? { ...stretch, sort: sortsOf(counted(stretch.members), sortWithin) } : stretch,
  );
  const found = bestRepetition(alike);
  if (found === null || (best !== null && found.mixersAfter > best.mixersAfter)) return null;
  const places = found.ends.map(({ index }) => stretches.findIndex((stretch) => stretch.index === index));
  const classes = places.map(
    (place, i) => stretches.slice(i === 0 ? 0 : places[i - 1] + 1, place + 1).findLast(({ mixes }) => mixes)?.sort,
  );
  const isAlone = (i: number): boolean => classes.filter((each) => each === classes[i]).length === 1;
  const first = classes.findIndex((_, i) => !isAlone(i));
  if (first < 0 || isAlone(classes.length - 1) || classes.length - first <= (best?.ends.length ?? 1)) return null;
  return found.ends.slice(first).map(({ index }) => index);
}

function stretchOf(members: readonly Site[], index: number, graph: PartGraph): Stretch {
  const kinds = members.map(({ layer }) => kindOf(layer));
  const layers = counted(members);
  const partsWithin = partsOf(graph);
  return {
    index,
    sort: sortsOf(layers, (site) => sortOf(site, partsWithin)),
    mixes: kinds.includes('mixer'),
    isNorm: layers.length > 0 && kinds.every((kind) => kind === 'norm' || kind === 'idle'),
    members,
  };
}

/** Without what does nothing outside of training. */
function counted(members: readonly Site[]): Site[] {
  return members.filter(({ layer }) => kindOf(layer) !== 'idle');
}

function sortsOf(members: readonly Site[], sort: (site: Site) => string): string {
  return members.map(sort).sort().join('+');
}

function partsOf({ graph }: PartGraph): (site: Site) => Site[] {
  return (site) => graph.sites.filter(({ within }) => within === site);
}

function repetition(stretches: readonly Stretch[], end: number, period: number): Repetition | null {
  const unit = stretches.slice(end - period, end);
  if (unit.every(({ isNorm }) => isNorm)) return null;
  const same = (start: number): boolean =>
    start >= 0 && unit.every(({ sort }, i) => stretches[start + i].sort === sort);
  let start = end - period;
  while (same(start - period)) start -= period;
  let count = (end - start) / period;

  const firstMixer = unit.findIndex(({ mixes }) => mixes);
  for (let rest = period - 1; rest >= period - firstMixer && firstMixer > 0; rest--) {
    // a shortened block still has all of its mixers
    if (start >= rest && unit.slice(period - rest).every(({ sort }, i) => stretches[start - rest + i].sort === sort)) {
      count++;
      break;
    }
  }
  if (count < 2) return null;
  const ends = Array.from({ length: count }, (_, i) => stretches[end - 1 - period * (count - 1 - i)]);
  return {
    ends,
    mixers: count * unit.filter(({ mixes }) => mixes).length,
    mixersAfter: stretches.slice(end).filter(({ mixes }) => mixes).length,
    likely: !endsWithFinalNorm(stretches, start, end, period),
  };
}

/**
 * Whether the last norm of [block, norm] x L is the model's final one instead. With a norm before the first block, the
 * chain can also be read as [norm, block] x L, norm. With an addition around each block, a norm between blocks belongs
 * to the block. Otherwise the names decide, and if they do not, norms come first.
 */
function endsWithFinalNorm(stretches: readonly Stretch[], start: number, end: number, period: number): boolean {
  const [leading, inner, last] = [stretches[start - 1], stretches[end - 1 - period], stretches[end - 1]];
  if (!last.isNorm || leading === undefined || leading.sort !== last.sort) return false;
  if (stretches.slice(end - period, end).some(({ members }) => members.length > 1)) return false;
  const stem = ({ members }: Stretch): string => members[members.length - 1].layer.name.replace(/\d+/g, '');
  return stem(last) !== stem(inner) || stem(leading) === stem(inner);
}

function better(a: Repetition, b: Repetition): boolean {
  const order = [
    Number(a.mixers > 0) - Number(b.mixers > 0),
    b.mixersAfter - a.mixersAfter,
    a.mixers - b.mixers,
    Number(a.likely) - Number(b.likely),
    a.ends.length - b.ends.length,
  ];
  return (order.find((difference) => difference !== 0) ?? 0) > 0; // of equals the first one stays, which ends later
}
