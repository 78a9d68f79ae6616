import type * as tfl from '@tensorflow/tfjs-layers';
import { IlrecError } from '../errors';

type Layer = tfl.layers.Layer;

/** Names a layer or layers: a name, a list of names, a pattern on names, or a predicate. */
export type LayerSelector = string | readonly string[] | RegExp | ((layer: Layer) => boolean);

/** Where to tap a model; what is left out is found from the model's graph. */
export interface TapOptions {
  /** The decoder blocks, first to last. */
  blocks?: LayerSelector;
  /** The final norm between the last block and the head; null says there is none. */
  norm?: LayerSelector | null;
  /** The language-model head. */
  head?: LayerSelector;
  /** The layer that looks the token ids up; only a collaborative reward needs it. */
  embedding?: LayerSelector;
}

export interface TapLocations {
  readonly blocks: readonly Layer[];
  readonly norm: Layer | null;
  readonly head: Layer;
  readonly embedding: Layer | null;
}

/**
 * Finds blocks, final norm, head and embedding of a causal language model.
 *
 * The head makes the model's output; the final norm is the layer before it, if its class name says so; the blocks are the largest group
 * of layers of one class that map [B, T, D] onto the same shape, where a class with "norm", "dropout", "activation" or "add" in its name
 * does not count. Nested models are walked.
 *
 * @throws IlrecError naming the layers seen and the option to set.
 */
export function findTaps(model: tfl.LayersModel, options: TapOptions = {}): TapLocations {
  const layers = flatten(model);
  const output = outputTensor(model);
  const head = options.head === undefined ? output.sourceLayer : one(select(layers, options.head, 'head'), 'head', layers);
  if (!layers.includes(head)) throw missing('head', layers);
  const norm = findNorm(head, layers, options);
  const blocks = options.blocks === undefined ? repeatedLayers(layers, head, norm) : select(layers, options.blocks, 'blocks');
  if (blocks.length < 2) throw missing('blocks', layers);
  const embedding = options.embedding === undefined ? lookup(layers) : one(select(layers, options.embedding, 'embedding'), 'embedding', layers);
  return { blocks, norm, head, embedding };
}

/** The layers of a model in order, those of nested models in place of the model. */
export function flatten(model: tfl.LayersModel): Layer[] {
  return model.layers.flatMap((layer) => ('layers' in layer ? flatten(layer as tfl.LayersModel) : [layer]));
}

function outputTensor(model: tfl.LayersModel): tfl.SymbolicTensor {
  const output = model.outputs[0];
  return 'layers' in output.sourceLayer ? outputTensor(output.sourceLayer as tfl.LayersModel) : output;
}

function findNorm(head: Layer, layers: readonly Layer[], options: TapOptions): Layer | null {
  if (options.norm === null) return null;
  if (options.norm !== undefined) return one(select(layers, options.norm, 'norm'), 'norm', layers);
  const before = head.inboundNodes[head.inboundNodes.length - 1]?.inboundLayers[0];
  return before !== undefined && /norm/i.test(before.getClassName()) ? before : null;
}

function repeatedLayers(layers: readonly Layer[], head: Layer, norm: Layer | null): Layer[] {
  const groups = new Map<string, Layer[]>();
  for (const layer of layers) {
    const name = layer.getClassName();
    if (layer === head || layer === norm || /norm|dropout|activation|add|inputlayer/i.test(name) || !keepsSequence(layer)) continue;
    groups.set(name, [...(groups.get(name) ?? []), layer]);
  }
  const [largest = []] = [...groups.values()].sort((a, b) => b.length - a.length);
  return largest;
}

/** Whether the layer's output is [B, T, D]. */
function keepsSequence(layer: Layer): boolean {
  const shape = layer.outputShape;
  const first = Array.isArray(shape[0]) ? (shape[0] as tfl.Shape) : (shape as tfl.Shape);
  return first.length === 3;
}

function lookup(layers: readonly Layer[]): Layer | null {
  return layers.find((layer) => /embedding/i.test(layer.getClassName())) ?? null;
}

function select(layers: readonly Layer[], selector: LayerSelector, option: string): Layer[] {
  const matches = typeof selector === 'function' ? selector : (layer: Layer) => nameMatches(layer.name, selector);
  const found = layers.filter(matches);
  if (found.length === 0) throw missing(option, layers, String(selector));
  return found;
}

function nameMatches(name: string, selector: string | readonly string[] | RegExp): boolean {
  if (selector instanceof RegExp) return new RegExp(selector.source, selector.flags.replace(/[gy]/g, '')).test(name);
  return typeof selector === 'string' ? name === selector : selector.includes(name);
}

function one(found: readonly Layer[], option: string, layers: readonly Layer[]): Layer {
  if (found.length !== 1) throw new IlrecError(`ilrec: taps.${option} must name one layer, got ${found.length} of ${describe(layers)}`);
  return found[0];
}

function missing(option: string, layers: readonly Layer[], selector?: string): IlrecError {
  const what = selector === undefined ? `could not find the ${option} of this model` : `taps.${option} = ${selector} matches no layer`;
  return new IlrecError(`ilrec: ${what}; set the option taps.${option}. Layers seen: ${describe(layers)}`);
}

function describe(layers: readonly Layer[]): string {
  return layers.map((layer) => `${layer.name} (${layer.getClassName()})`).join(', ');
}
