import { UnnamedError } from '../errors';
import { type Cut, cutChain } from './cut_chain';
import { findBlocks } from './find_blocks';
import { findHead, type FoundHead, shapeOf } from './find_head';
import { kindOf } from './layer_kinds';
import { missing, type SelectedLayers } from './layer_selector';
import { classOf, type Layer, type PartGraph, sameSource, type Site, type Source, widthOf } from './model_graph';

/** The input of a call at which the token ids [B, T] enter. */
export interface InputIds {
  readonly site: Site;
  readonly input: number;
  /** The tensors that this layer looks up; several if the layer is shared. */
  readonly sources: readonly Source[];
}

interface Start {
  /** The first hidden states, [B, T, D]. */
  readonly source: Source;
  readonly inputIds: InputIds | null;
}

export interface FoundChain extends FoundHead {
  /** From the first hidden states to the model's output. */
  readonly chain: readonly Cut[];
  readonly start: Start;
}

/**
 * The way from the token embedding to the logits. Of all places where hidden states may begin, the one followed by the
 * most blocks is taken.
 *
 * @throws UnnamedError where there is none.
 */
export function bestChain(
  graph: PartGraph,
  output: Source,
  selected: SelectedLayers,
  layers: readonly Layer[],
): FoundChain {
  const last = graph.maker(output);
  if (output.tensor.rank !== 3 || last === null) {
    if (last === null || !graph.parts.some((part) => part.outputs[0].tensor.rank === 3))
      throw missing('blocks', layers);
    throw new UnnamedError(
      `the model must give logits at every position, [B, T, V], got an output of shape ${shapeOf(output)}; let ` +
        'the last recurrent layer return sequences, and give custom layers a computeOutputShape',
    );
  }
  let failure: unknown = null;
  let best: FoundChain | null = null;
  let most = -1;
  for (const start of startsOf(graph, last, selected.embedding, widthOf(output))) {
    const chain = cutChain(graph, start.source, last);
    try {
      const head = findHead(chain, output, selected.head, graph, layers);
      const body = chain.slice(0, head.headIndex);
      const count =
        selected.blocks === null
          ? findBlocks(body, graph).length
          : body.flatMap(({ members }) => members).filter(({ layer }) => selected.blocks?.includes(layer)).length;
      if (count > most) [best, most] = [{ ...head, chain, start }, count];
    } catch (error) {
      failure ??= error;
    }
  }
  if (best === null) throw failure ?? missing('blocks', layers);
  return selected.embedding === null
    ? best
    : { ...best, start: { ...best.start, inputIds: lookupBy(selected.embedding, graph) } };
}

/** Layers that turn [B, T] into [B, T, D], the likeliest token embedding first; then inputs [B, T, D]. */
function startsOf(graph: PartGraph, last: Site, embedding: Layer | null, vocabSize: number | null): Start[] {
  const needed = graph.ancestors(last);
  const parts = graph.parts.filter((part) => needed.has(part));
  const score = ({ layer }: Site): number => {
    const rows = layer.weights.find(({ shape }) => shape.length === 2)?.shape[0];
    const named =
      Number(/embed/i.test(classOf(layer))) - Number(/pos/i.test(layer.name) || /pos/i.test(classOf(layer)));
    return 8 * Number(layer === embedding) + 2 * Number(rows === vocabSize) + named;
  };
  const lookups = parts.filter(
    (part) =>
      part.outputs[0].tensor.rank === 3 &&
      part.inputs.every(({ tensor }) => tensor.rank <= 2) &&
      kindOf(part.layer) !== 'idle',
  );
  const starts = lookups
    .sort((a, b) => score(b) - score(a))
    .map((site): Start => ({ source: site.outputs[0], inputIds: idsOf(site, graph) }));
  const inputs = parts.flatMap((part) => part.inputs).filter(({ site, tensor }) => site === null && tensor.rank === 3);
  return [...starts, ...inputs.map((source): Start => ({ source, inputIds: null }))];
}

function lookupBy(embedding: Layer, graph: PartGraph): InputIds | null {
  const site = graph.graph.sites.find((each) => each.layer === embedding && idsInput(each) >= 0);
  return site === undefined ? null : idsOf(site, graph);
}

function idsOf(site: Site, { graph }: PartGraph): InputIds | null {
  const input = idsInput(site);
  if (input < 0) return null;
  const lookups = graph.sites
    .filter((each) => each.layer === site.layer && idsInput(each) >= 0)
    .map((each) => each.inputs[idsInput(each)]);
  const sources = lookups.filter((source, i) => lookups.findIndex((other) => sameSource(other, source)) === i);
  return { site, input, sources };
}

function idsInput(site: Site): number {
  return site.inputs.findIndex(({ tensor }) => tensor.rank === 2);
}
