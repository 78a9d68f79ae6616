import type { Cut } from './cut_chain';
import { kindOf } from './layer_kinds';
import { classOf, sameSource, type Site, type Source } from './model_graph';

/**
 * Why a chain has no blocks that are repeated one after another: a tensor goes past the layers that may be blocks, so
 * that what follows does not depend on a block's output alone; or the layers are of different classes.
 *
 * @returns null where neither is so.
 */
export function reasonFor(body: readonly Cut[]): string | null {
  const parts = body.flatMap(({ members }) => members);
  const mixers = parts.filter(({ layer }) => kindOf(layer) === 'mixer');
  if (mixers.length < 2) return null;
  const skip = longestSkip(parts);
  if (skip !== null)
    return (
      `the output of "${skip.from}" goes past ${listed(skip.past)} to "${skip.reader}", so that none of these has the ` +
      'whole hidden state'
    );
  const classes = [...new Set(mixers.map(({ layer }) => classOf(layer)))];
  return classes.length < mixers.length
    ? null
    : `${listed(mixers)} are all of different classes, ${classes.join(', ')}`;
}

interface Skip {
  readonly from: string;
  readonly reader: string;
  readonly past: readonly Site[];
}

/** The tensor that passes the most layers that mix positions, at least two; null where there is none. */
function longestSkip(parts: readonly Site[]): Skip | null {
  let longest: Skip | null = null;
  parts.forEach((part, reader) => {
    for (const source of part.inputs) {
      const maker = makerOf(source, parts);
      if (source.site === null || source.tensor.rank !== 3) continue;
      const past = parts.slice(maker + 1, reader).filter(({ layer }) => kindOf(layer) === 'mixer');
      if (past.length < 2 || past.length <= (longest?.past.length ?? 0)) continue;
      longest = { from: source.site.layer.name, reader: part.layer.name, past };
    }
  });
  return longest;
}

/** Index of the part that makes a tensor; -1 for what comes from before all of them. */
function makerOf(source: Source, parts: readonly Site[]): number {
  return parts.findIndex(({ outputs }) => outputs.some((output) => sameSource(output, source)));
}

function listed(sites: readonly Site[]): string {
  return sites.map(({ layer }) => `"${layer.name}"`).join(', ');
}
