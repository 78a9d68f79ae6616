import { IlrecError } from '../errors';
import { classOf, type Layer } from './model_graph';

/** Names a layer or layers: a name, a list of names, a pattern on names, or a predicate. */
export type LayerSelector = string | readonly string[] | RegExp | ((layer: Layer) => boolean);

/** Where to tap a model; what is left out is found from the model's graph. */
export interface TapOptions {
  /** The decoder blocks, first to last; of each the first output [B, T, D] counts. */
  blocks?: LayerSelector;
  /** The final norm between the last block and the head; null says that the head reads the blocks' outputs as they are. */
  norm?: LayerSelector | null;
  /** The language-model head. */
  head?: LayerSelector;
  /** The layer that looks the token ids up; only a collaborative reward needs it. */
  embedding?: LayerSelector;
  /**
   * true: the response positions see no later token, though the model looks as if they did, as one that reads a prompt in both directions does.
   * Default false: a model that is not causal is refused.
   */
  causal?: boolean;
}

/** What the user named. */
export interface SelectedLayers {
  readonly blocks: readonly Layer[] | null;
  /** undefined: to be found; null: there is none. */
  readonly norm: Layer | null | undefined;
  readonly head: Layer | null;
  readonly embedding: Layer | null;
}

/** @throws IlrecError when nothing matches. */
export function select(layers: readonly Layer[], selector: LayerSelector, option: string): Layer[] {
  const matches = typeof selector === 'function' ? selector : (layer: Layer) => nameMatches(layer.name, selector);
  const found = layers.filter(matches);
  if (found.length === 0) throw missing(option, layers, String(selector));
  if (Array.isArray(selector)) {
    const absent = selector.filter((name) => !found.some((layer) => layer.name === name));
    if (absent.length > 0) throw missing(option, layers, absent.join(', '));
  }
  return found;
}

/** @throws IlrecError unless one layer matches. */
export function selectOne(layers: readonly Layer[], selector: LayerSelector, option: string): Layer {
  const found = select(layers, selector, option);
  if (found.length !== 1)
    throw new IlrecError(`ilrec: taps.${option} must name one layer, got ${found.length} of ${describe(layers)}`);
  return found[0];
}

export function missing(option: string, layers: readonly Layer[], selector?: string): IlrecError {
  const what =
    selector === undefined
      ? `could not find the ${option} of this model`
      : `taps.${option} = ${selector} matches no layer`;
  return new IlrecError(`ilrec: ${what}; set the option taps.${option}. Layers seen: ${describe(layers)}`);
}

function nameMatches(name: string, selector: string | readonly string[] | RegExp): boolean {
  if (selector instanceof RegExp) return new RegExp(selector.source, selector.flags.replace(/[gy]/g, '')).test(name);
  return typeof selector === 'string' ? name === selector : selector.includes(name);
}

function describe(layers: readonly Layer[]): string {
  return layers.map((layer) => `${layer.name} (${classOf(layer)})`).join(', ');
}
