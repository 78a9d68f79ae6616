import type { PartGraph, Site, Source } from './model_graph';

/** A part that every way from the chain's start to its end passes, with the parts since the previous cut. */
export interface Cut {
  readonly part: Site;
  /** The parts after the previous cut, in order; `part` is the last. */
  readonly members: readonly Site[];
}

/**
 * The parts that all ways from a tensor to a part go through, first to last. What follows such a part depends on the
 * tensor only through the part's output. A residual stream is cut after each addition, a plain stack after each layer.
 * Side inputs such as a mask do not count.
 *
 * @returns empty when there is no way.
 */
export function cutChain(graph: PartGraph, from: Source, to: Site): Cut[] {
  const parts = graph.between(from, to);
  const indexOf = new Map(parts.map((part, index) => [part, index]));
  const lastReader = new Array<number>(parts.length + 1).fill(-1); // of the start, then of each part
  parts.forEach((part, reader) => {
    for (const { site, index } of part.inputs) {
      if (site === from.site && index === from.index) lastReader[0] = reader;
      const maker = site === null ? undefined : indexOf.get(graph.partOf(site));
      if (maker !== undefined) lastReader[maker + 1] = Math.max(lastReader[maker + 1], reader);
    }
  });

  const cuts: Cut[] = [];
  let furthest = lastReader[0];
  let start = 0;
  parts.forEach((part, index) => {
    if (furthest <= index) {
      cuts.push({ part, members: parts.slice(start, index + 1) });
      start = index + 1;
    }
    furthest = Math.max(furthest, lastReader[index + 1]);
  });
  return cuts;
}
