import type { PartGraph, Site, Source } from './model_graph';

/** A part that every way from the chain's start to its end passes, and the parts between the cut before and it. */
export interface Cut {
  readonly part: Site;
  /** The parts after the cut before, in order; `part` is the last. */
  readonly members: readonly Site[];
}

/**
 * The parts that all ways from a tensor to a part go through, first to last: behind each of them the model depends on its output alone, as
 * far as it depends on the tensor at all. A residual stream is cut after each addition, a plain stack after each layer; side inputs such as
 * a mask do not count.
 *
 * @returns empty when there is no way.
 */
export function cutChain(graph: PartGraph, from: Source, to: Site): Cut[] {
  const parts = graph.between(from, to);
  const place = new Map(parts.map((part, at) => [part, at]));
  const reach = new Array<number>(parts.length + 1).fill(-1); // of each part the last that reads it; the start comes first
  parts.forEach((part, at) => {
    for (const { site, index } of part.inputs) {
      if (site === from.site && index === from.index) reach[0] = at;
      const maker = site === null ? undefined : place.get(graph.partOf(site));
      if (maker !== undefined) reach[maker + 1] = Math.max(reach[maker + 1], at);
    }
  });

  const cuts: Cut[] = [];
  let furthest = reach[0];
  let start = 0;
  parts.forEach((part, at) => {
    if (furthest <= at) {
      cuts.push({ part, members: parts.slice(start, at + 1) });
      start = at + 1;
    }
    furthest = Math.max(furthest, reach[at + 1]);
  });
  return cuts;
}
