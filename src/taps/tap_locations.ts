import type * as tfl from '@tensorflow/tfjs-layers';
import { UnnamedError } from '../errors';
import { blocksOf, hiddenStateOf, refuseMixing, wayToHead } from './block_exits';
import { bestChain, type InputIds } from './best_chain';
import type { Cut } from './cut_chain';
import { activated, kindOf, looksAhead, sortOf } from './layer_kinds';
import { missing, select, selectOne, type SelectedLayers, type TapOptions } from './layer_selector';
import {
  classOf,
  isModel,
  type Layer,
  type ModelGraph,
  PartGraph,
  sameSource,
  type Site,
  type Source,
  traceModel,
  widthOf,
} from './model_graph';
import { type RowPath, rowPath } from './row_path';

export interface TapLocations {
  /**
   * The layers whose outputs are the blocks' hidden states, first to last; a shared layer occurs once for each call.
   * Empty where no blocks are needed.
   */
  readonly blocks: readonly Layer[];
  /** The final norm, if there is one between the last block and the head. */
  readonly norm: Layer | null;
  readonly head: Layer;
  /** The layer that looks up the token ids. */
  readonly embedding: Layer | null;
  /** Which output of the model comes from the head. */
  readonly outputIndex: number;
  /** Whether the user says that the model is causal. */
  readonly isCausal: boolean;
  readonly graph: PartGraph;
  /** Outputs of the blocks, [B, T, D] each. */
  readonly hiddenStates: readonly Source[];
  /** What the head reads, [B, T, D]. */
  readonly headInput: Source;
  /** From a block's output to what the head reads: norms, and whatever else the model has there. */
  readonly toHead: RowPath;
  /** From what the head reads to logits. */
  readonly toLogits: RowPath;
  /** Whether the head's result is also read by another layer, or is another output of the model. */
  readonly logitsAreReadElsewhere: boolean;
  /** The token ids [B, T] as the embedding gets them. */
  readonly inputIds: InputIds | null;
}

export interface FindTapsOptions extends TapOptions {
  /** The model's output to train. Default the only one that can be logits. */
  outputIndex?: number;
  /** Whether the blocks must be found; a model with fewer than two is then refused. Default true. */
  needsBlocks?: boolean;
}

/**
 * Finds blocks, final norm, head and embedding of a causal language model from its graph. Nested models are walked;
 * side inputs and other outputs are ignored.
 *
 * On the way from the embedding to the output, the model is cut wherever everything passes through one tensor
 * (`cutChain`). The head is the last layer that changes the width to that of the vocabulary (`findHead`). The blocks
 * are the repeated sequence of layers before it (`findBlocks`). What stands between the last block and the head (norm,
 * dropout, a projection) belongs to the early exit of each block.
 *
 * @throws UnnamedError that lists the layers seen and names the option to set, or says why the model cannot be a causal
 *   language model.
 */
export function findTaps(model: tfl.LayersModel, options: FindTapsOptions = {}): TapLocations {
  const { outputIndex, needsBlocks = true } = options;
  requireModel(model);
  const graph = traceModel(model);
  const layers = [...new Set(graph.sites.map((site) => site.layer))];
  const named = options.head === undefined ? null : selectOne(layers, options.head, 'head');
  const index = outputIndex ?? outputOf(model, graph, named, layers);
  const output = graph.outputs[index];
  const selected = selectedLayers(layers, graph, options, named);

  const whole = repeatedModels(graph, selected);
  const attempts = [whole, new Set([...whole].filter((site) => selected.blocks?.includes(site.layer)))];
  let failure: unknown = null;
  for (const [i, models] of attempts.entries()) {
    if (i > 0 && models.size === whole.size) break;
    try {
      return locate({
        graph: new PartGraph(graph, models),
        output,
        outputIndex: index,
        selected,
        layers,
        needsBlocks,
        isCausal: options.causal === true,
      });
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}

function selectedLayers(
  layers: readonly Layer[],
  graph: ModelGraph,
  options: TapOptions,
  head: Layer | null,
): SelectedLayers {
  const { blocks, norm, embedding } = options;
  let chosen: Layer[] | null = null;
  if (blocks !== undefined) {
    const found = select(layers, blocks, 'blocks');
    const inside = (layer: Layer): boolean =>
      graph.sites.some((site) => site.layer === layer && outer(site).some((model) => found.includes(model.layer)));
    // a pattern that matches a nested model often matches its layers too
    chosen = found.filter((layer) => !inside(layer));
  }
  return {
    blocks: chosen,
    norm: norm === undefined || norm === null ? norm : selectOne(layers, norm, 'norm'),
    head,
    embedding: embedding === undefined ? null : selectOne(layers, embedding, 'embedding'),
  };
}

/**
 * Calls of nested models that count as one part each: those that the user named, those of which there are several of a
 * kind, and those that map between the same sizes as these, which are blocks of another kind.
 */
function repeatedModels(graph: ModelGraph, { blocks, norm, head, embedding }: SelectedLayers): Set<Site> {
  const partsWithin = (site: Site): Site[] => graph.sites.filter(({ within }) => within === site);
  const models = graph.sites.filter(({ layer }) => isModel(layer));
  const sorts = new Map(models.map((site) => [site, sortOf(site, partsWithin)]));
  const named = [...(blocks ?? []), norm, head, embedding].filter((layer) => layer !== null && layer !== undefined);
  const open = new Set(graph.sites.filter(({ layer }) => named.includes(layer)).flatMap(outer));
  const count = (site: Site): number => models.filter((other) => sorts.get(other) === sorts.get(site)).length;
  const repeated = models.filter((site) => count(site) > 1 && !open.has(site));
  const around = new Set([...open, ...repeated.flatMap(outer)]);
  const sizes = ({ inputs, outputs }: Site): string =>
    [...inputs, ...outputs].map((source) => `${source.tensor.rank} ${widthOf(source)}`).join();
  const alike = models.filter((site) => !around.has(site) && repeated.some((other) => sizes(other) === sizes(site)));
  return new Set([...models.filter(({ layer }) => named.includes(layer)), ...repeated, ...alike]);
}

/** The calls of nested models that a call is part of. */
function outer({ within }: Site): Site[] {
  return within === null ? [] : [within, ...outer(within)];
}

/** Index of the output that is logits. */
function outputOf(model: tfl.LayersModel, graph: ModelGraph, head: Layer | null, layers: readonly Layer[]): number {
  const { outputs } = graph;
  if (outputs.length === 1) return 0;
  const parts = new PartGraph(graph, new Set());
  const fromHead = (source: Source): boolean =>
    source.site !== null && [...parts.ancestors(parts.partOf(source.site))].some(({ layer }) => layer === head);
  const possible = [...outputs.keys()].filter(
    (i) => outputs[i].tensor.rank === 3 && widthOf(outputs[i]) !== 1 && (head === null || fromHead(outputs[i])),
  );
  const numTokens = layers
    .filter((layer) => /embed/i.test(classOf(layer)))
    .map((layer) => layer.weights.find(({ shape }) => shape.length === 2)?.shape[0]);
  const overTokens = possible.filter((i) => numTokens.includes(widthOf(outputs[i])));
  if (possible.length === 1) return possible[0];
  if (overTokens.length === 1) return overTokens[0];
  if (possible.length === 0) throw missing('head', layers);
  const names = possible.map((i) => model.outputNames[i]);
  throw new UnnamedError(
    `the model has several outputs that may be logits, ${names.join(', ')}; compile it with loss: { ${names[0]}: ` +
      'method.loss, ... } before the taps are attached',
  );
}

interface Search {
  readonly graph: PartGraph;
  readonly output: Source;
  readonly outputIndex: number;
  readonly selected: SelectedLayers;
  readonly layers: readonly Layer[];
  readonly needsBlocks: boolean;
  readonly isCausal: boolean;
}

function locate({ graph, output, outputIndex, selected, layers, needsBlocks, isCausal }: Search): TapLocations {
  const { chain, headIndex, input: headInput, start } = bestChain(graph, output, selected, layers);
  if (!isCausal) refuseLookingAhead(chain, graph);
  const body = chain.slice(0, headIndex);
  const blocks = needsBlocks ? blocksOf(body, graph, selected.blocks, layers) : [];
  const hiddenStates = blocks.map((block) => hiddenStateOf(block, graph));
  const toHead = needsBlocks
    ? wayToHead({ body, graph, headInput, blocks, named: selected.blocks !== null, norm: selected.norm })
    : rowPath(graph, headInput, headInput);
  const toLogits = refuseMixing(rowPath(graph, headInput, output, true));
  refuseBatchNorm([...toHead.parts, ...toLogits.parts]);
  return {
    blocks: blocks.map(({ layer }) => layer),
    norm:
      selected.norm === undefined
        ? (toHead.parts.findLast(({ layer }) => kindOf(layer) === 'norm')?.layer ?? null)
        : selected.norm,
    head: chain[headIndex].part.layer,
    embedding: start.inputIds?.site.layer ?? null,
    outputIndex,
    isCausal,
    graph,
    hiddenStates,
    headInput,
    toHead,
    toLogits,
    logitsAreReadElsewhere: readElsewhere(toLogits, graph, outputIndex),
    inputIds: start.inputIds,
  };
}

/** @throws UnnamedError unless it is a model of layers: a graph model cannot be trained. */
export function requireModel(model: unknown): void {
  if (typeof model === 'object' && model !== null && isModel(model)) return;
  const got = typeof model === 'object' && model !== null ? `a ${model.constructor.name}` : String(model);
  throw new UnnamedError(
    `the model must be a tf.LayersModel, got ${got}; load it with tf.loadLayersModel, or build it of layers`,
  );
}

/**
 * In training, the last layer would be normalised by the statistics of all of its positions, and the response rows of
 * the layers before it by others. It would also show a position what comes after it.
 */
function refuseBatchNorm(parts: readonly Site[]): void {
  const wrong = parts.find(({ layer }) => /batch_?norm/i.test(classOf(activated(layer))));
  if (wrong === undefined) return;
  throw new UnnamedError(
    `layer "${wrong.layer.name}" (${classOf(wrong.layer)}) between the last block and the logits must treat each ` +
      'position alone, got a norm over the batch, whose statistics would not be the same for all layers; use a ' +
      'layerNormalization instead',
  );
}

function readElsewhere({ parts }: RowPath, graph: PartGraph, outputIndex: number): boolean {
  const made = (source: Source): boolean =>
    parts.some((part) => part.outputs.some((output) => sameSource(output, source)));
  const readers = [
    ...graph.parts.filter((part) => !parts.includes(part)).flatMap(({ inputs }) => inputs),
    ...graph.graph.outputs.filter((_, i) => i !== outputIndex),
  ];
  return readers.some(made);
}

function refuseLookingAhead(chain: readonly Cut[], graph: PartGraph): void {
  const parts = new Set(chain.flatMap(({ members }) => members));
  for (const site of graph.graph.sites) {
    const reason = parts.has(graph.partOf(site)) ? looksAhead(site.layer) : null;
    if (reason !== null) {
      throw new UnnamedError(
        `the model must be causal, got layer "${site.layer.name}" (${classOf(site.layer)}): ${reason}, so a ` +
          'position sees the tokens that it should predict; use a layer that reads forward only, or set ' +
          'taps.causal where no response position does',
      );
    }
  }
}
