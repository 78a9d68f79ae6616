import type { Cut } from './cut_chain';
import { kindOf, sortOf } from './layer_kinds';
import type { PartGraph, Site } from './model_graph';

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
 * blocks instead of before each.
 *
 * @returns indices of the cuts that end the blocks, first to last; fewer than 2 when nothing is repeated.
 */
export function findBlocks(chain: readonly Cut[], graph: PartGraph): number[] {
  const stretches = chain
    .map(({ members }, index) => stretchOf(members, index, graph))
    .filter(({ sort }) => sort !== '');
  let best: Repetition | null = null;
  for (let end = stretches.length; end > 0; end--) {
    for (let period = 1; period <= end; period++) {
      const found = repetition(stretches, end, period);
      if (found !== null && (best === null || better(found, best))) best = found;
    }
  }
  return best === null ? [] : best.ends.map(({ index }) => index);
}

function stretchOf(members: readonly Site[], index: number, graph: PartGraph): Stretch {
  const kinds = members.map(({ layer }) => kindOf(layer));
  const counted = members.filter((_, i) => kinds[i] !== 'idle');
  const partsWithin = (site: Site): Site[] => graph.graph.sites.filter(({ within }) => within === site);
  return {
    index,
    sort: counted
      .map((site) => sortOf(site, partsWithin))
      .sort()
      .join('+'),
    mixes: kinds.includes('mixer'),
    isNorm: counted.length > 0 && kinds.every((kind) => kind === 'norm' || kind === 'idle'),
    members,
  };
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
