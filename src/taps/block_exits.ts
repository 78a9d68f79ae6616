import { UnnamedError } from '../errors';
import type { Cut } from './cut_chain';
import { findBlocks } from './find_blocks';
import { isCustom, kindOf } from './layer_kinds';
import { missing } from './layer_selector';
import { reasonFor } from './why_no_blocks';
import { classOf, type Layer, type PartGraph, sameSource, type Site, type Source, widthOf } from './model_graph';
import { isPointwise } from './probe_layer';
import { type RowPath, rowPath } from './row_path';

/**
 * The parts whose outputs are the blocks' hidden states, first to last.
 *
 * @param body the chain before the head.
 * @param named the layers that the user named; null to find them.
 * @throws UnnamedError when there are fewer than two, or their outputs differ in width.
 */
export function blocksOf(
  body: readonly Cut[],
  graph: PartGraph,
  named: readonly Layer[] | null,
  layers: readonly Layer[],
): Site[] {
  const blocks =
    named === null
      ? findBlocks(body, graph).map((end) => body[end].part)
      : body.flatMap(({ members }) => members).filter(({ layer }) => named.includes(layer));
  if (blocks.length < 2) throw tooFew(body, blocks, layers);

  const widths = blocks.map((block) => widthOf(hiddenStateOf(block, graph)));
  const last = widths[widths.length - 1];
  const fits = widths.map((width) => width === last || width === null || last === null);
  const first = fits.lastIndexOf(false) + 1;
  if (first === 0) return blocks;
  const ofEach = blocks.map(({ layer }, i) => `${layer.name} ${widths[i]}`).join(', ');
  if (named !== null || blocks.length - first < 2) {
    throw new UnnamedError(
      `at least two blocks must have outputs of the width that the head reads, got ${ofEach}; give the last ` +
        'blocks one width, or name blocks with taps.blocks',
    );
  }
  return blocks.slice(first); // the head cannot read a block of another width
}

function tooFew(body: readonly Cut[], blocks: readonly Site[], layers: readonly Layer[]): UnnamedError {
  const mixers =
    blocks.length > 0
      ? blocks
      : body.flatMap(({ members }) => members).filter(({ layer }) => kindOf(layer) === 'mixer');
  if (mixers.length !== 1) return missing('blocks', layers, undefined, reasonFor(body) ?? undefined);
  return new UnnamedError(
    `the model must have two blocks or more, each a layer of its graph, got one, "${mixers[0].layer.name}"; the ` +
      'layers to tap are the blocks before the last, so add another, or name them with taps.blocks',
  );
}

/** The output of a block that leads to the head: the first [B, T, D] that another layer reads. */
export function hiddenStateOf(block: Site, graph: PartGraph): Source {
  const states = block.outputs.filter(({ tensor }) => tensor.rank === 3);
  const isRead = (output: Source): boolean =>
    graph.parts.some((part) => part.inputs.some((input) => sameSource(input, output)));
  const state = states.find(isRead) ?? states[0];
  if (state === undefined)
    throw new UnnamedError(
      `block "${block.layer.name}" must return hidden states [B, T, D], got ` +
        `${JSON.stringify(block.outputs.map(({ tensor }) => tensor.shape))}; name other layers with taps.blocks`,
    );
  return state;
}

interface Exit {
  readonly body: readonly Cut[];
  readonly graph: PartGraph;
  readonly headInput: Source;
  readonly blocks: readonly Site[];
  /** Whether the user named the blocks. */
  readonly named: boolean;
  /** undefined: take what stands between the last block and the head. */
  readonly norm: Layer | null | undefined;
}

/**
 * The layers between a block's output and the head. Where the user named the blocks and others follow them, these are
 * the layers behind the last one that mixes positions.
 *
 * @throws UnnamedError where one of them mixes positions.
 */
export function wayToHead({ body, graph, headInput, blocks, named, norm }: Exit): RowPath {
  if (norm === null) return rowPath(graph, headInput, headInput);
  const last = blocks[blocks.length - 1];
  if (norm === undefined) {
    const state = hiddenStateOf(last, graph);
    const behind = named ? behindLastMixer(body, headInput, last, graph) : state;
    return refuseMixing(rowPath(graph, widthOf(behind) === widthOf(state) ? behind : state, headInput));
  }
  const maker = graph.maker(headInput);
  const part =
    maker === null
      ? undefined
      : graph.parts.findLast((each) => each.layer === norm && graph.ancestors(maker).has(each));
  if (part === undefined) {
    throw new UnnamedError(
      `taps.norm = ${norm.name} must be between the blocks and the head, got a layer that the head does not ` +
        'depend on; name another, or null where there is none',
    );
  }
  return refuseMixing(rowPath(graph, part.inputs[0], headInput));
}

/** The last tensor before the head that the last named block, or a layer that mixes positions, has made. */
function behindLastMixer(body: readonly Cut[], headInput: Source, lastBlock: Site, graph: PartGraph): Source {
  const mixes = (part: Site): boolean => kindOf(part.layer) === 'mixer' && !(isCustom(part.layer) && isPointwise(part));
  const lastMixer = body.findLastIndex(({ members }) => members.includes(lastBlock) || members.some(mixes));
  const readers = [
    ...body
      .slice(lastMixer + 1)
      .flatMap(({ members }) => members)
      .flatMap(({ inputs }) => inputs),
    headInput,
  ];
  return (
    body[lastMixer].part.outputs.find((output) => readers.some((input) => sameSource(input, output))) ??
    hiddenStateOf(lastBlock, graph)
  );
}

/** @returns the path. @throws UnnamedError when a layer of it mixes positions. */
export function refuseMixing(path: RowPath): RowPath {
  const mixer = path.parts.find(
    (part) => kindOf(part.layer) === 'mixer' && !(isCustom(part.layer) && isPointwise(part)),
  );
  if (mixer !== undefined) {
    throw new UnnamedError(
      `layer "${mixer.layer.name}" (${classOf(mixer.layer)}) between the last block and the logits must treat ` +
        'each position alone; name the blocks, the norm and the head with taps.blocks, taps.norm and taps.head',
    );
  }
  return path;
}
