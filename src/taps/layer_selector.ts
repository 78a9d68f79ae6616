import { UnnamedError } from '../errors';
import { classOf, type Layer } from './model_graph';

/** Names layers: a name, a list of names, a pattern on names, or a predicate. */
export type LayerSelector = string | readonly string[] | RegExp | ((layer: Layer) => boolean);

/** Where to tap a model. What is left out is found in the model's graph. */
export interface TapOptions {
  /** The decoder blocks, first to last. The first output [B, T, D] of each counts. */
  blocks?: LayerSelector;
  /** The final norm between the last block and the head; null when the head reads the blocks' outputs directly. */
  norm?: LayerSelector | null;
  /** The language-model head. */
  head?: LayerSelector;
  /** The layer that looks up the token ids; only a loss that reads them (a collaborative reward) needs it. */
  embedding?: LayerSelector;
  /**
   * Set true if no response position sees a later token although the model is not causal, for example because it reads
   * the prompt in both directions. Default false: a model that is not causal is refused.
   */
  causal?: boolean;
}

const TAP_OPTIONS: readonly string[] = ['blocks', 'norm', 'head', 'embedding', 'causal'] satisfies (keyof TapOptions)[];

/** @throws UnnamedError on an option that does not exist. */
export function checkTapOptions(taps: TapOptions = {}): void {
  const unknown = Object.keys(taps).find((option) => !TAP_OPTIONS.includes(option));
  if (unknown !== undefined) throw new UnnamedError(`taps must be among ${TAP_OPTIONS.join(', ')}, got ${unknown}`);
}

/** The layers that the user named. */
export interface SelectedLayers {
  readonly blocks: readonly Layer[] | null;
  /** undefined: find it; null: there is none. */
  readonly norm: Layer | null | undefined;
  readonly head: Layer | null;
  readonly embedding: Layer | null;
}

/** @throws UnnamedError when nothing matches. */
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

/** @throws UnnamedError unless one layer matches. */
export function selectOne(layers: readonly Layer[], selector: LayerSelector, option: string): Layer {
  const found = select(layers, selector, option);
  if (found.length !== 1)
    throw new UnnamedError(`taps.${option} must name one layer, got ${found.length} of ${describe(layers)}`);
  return found[0];
}

/**
 * The error for a part that was not found, or for a selector that matches no layer.
 *
 * @param reason why it was not found, where that is known.
 */
export function missing(option: string, layers: readonly Layer[], selector?: string, reason?: string): UnnamedError {
  const found =
    selector === undefined
      ? `could not find the ${option} of this model`
      : `taps.${option} = ${selector} matches no layer`;
  const what =
    reason === undefined
      ? `${found}; set the option taps.${option}`
      : `${found}: ${reason}; the option taps.${option} may name them`;
  return new UnnamedError(`${what}. Layers seen: ${describe(layers)}`);
}

function nameMatches(name: string, selector: string | readonly string[] | RegExp): boolean {
  if (selector instanceof RegExp) return new RegExp(selector.source, selector.flags.replace(/[gy]/g, '')).test(name);
  return typeof selector === 'string' ? name === selector : selector.includes(name);
}

function describe(layers: readonly Layer[]): string {
  return layers.map((layer) => `${layer.name} (${classOf(layer)})`).join(', ');
}
