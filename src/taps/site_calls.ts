import type * as tf from '@tensorflow/tfjs-core';
import { IlrecError } from '../errors';
import type { CallArgs } from '../layers/layer_types';
import { isRecomputing } from '../ops/recomputation';
import { shadow } from '../shadow';
import { isModel, type Layer, PartGraph, type Site } from './model_graph';

type Tensors = tf.Tensor | tf.Tensor[];

/** What happens at a call: gets its inputs, what runs the layer, and whether the same call was seen before; returns the layer's outputs. */
export type CallHandler = (inputs: readonly tf.Tensor[], run: () => Tensors, again: boolean) => Tensors;

interface WatchedLayer {
  readonly sites: readonly Site[];
  readonly handlers: (CallHandler | undefined)[];
  /** Calls of this pass; tfjs makes a call once more for each further output that is used. */
  readonly seen: { readonly inputs: readonly tf.Tensor[]; readonly at: number }[];
}

/**
 * Tells which call of the graph a layer's running `call` is: the calls of a shared layer come in the order of the graph. A call that is
 * repeated on the same tensors is the same one.
 */
export class SiteCalls {
  private readonly watched = new Map<Layer, WatchedLayer>();
  private readonly restores: (() => void)[] = [];

  /** @param isActive whether a call with these arguments is part of a pass that is looked at. */
  constructor(
    private readonly graph: PartGraph,
    private readonly isActive: (kwargs: CallArgs | undefined) => boolean,
  ) {}

  /** @throws IlrecError where the layer's calls have no order. */
  on(site: Site, handler: CallHandler): void {
    const watched = this.watched.get(site.layer) ?? this.watch(site.layer);
    const at = watched.sites.indexOf(site);
    const before = watched.handlers[at];
    watched.handlers[at] = before === undefined ? handler : (inputs, run, again) => handler(inputs, () => before(inputs, run, again), again);
  }

  /** Forgets the calls of a pass. */
  reset(): void {
    for (const { seen } of this.watched.values()) seen.length = 0;
  }

  restore(): void {
    for (const restore of this.restores.splice(0)) restore();
  }

  private watch(layer: Layer): WatchedLayer {
    const sites = this.graph.graph.sites.filter((site) => site.layer === layer);
    if (!this.haveOrder(sites)) {
      throw new IlrecError(
        `ilrec: layer "${layer.name}" is called at ${sites.length} places of the model that do not depend on each other, so its calls cannot be told apart; give each place a layer of its own, or name other layers with the option taps`,
      );
    }
    const watched: WatchedLayer = { sites, handlers: [], seen: [] };
    this.watched.set(layer, watched);
    this.restores.push(
      shadow(layer, 'call', (original) => (inputs: Tensors, kwargs: CallArgs) => {
        const run = (): Tensors => original(inputs, kwargs);
        if (isRecomputing() || !this.isActive(kwargs)) return run();
        const list = Array.isArray(inputs) ? inputs : [inputs];
        const { at, again } = siteOf(watched, list);
        const handler = watched.handlers[at];
        return handler === undefined ? run() : handler(list, run, again);
      }),
    );
    return watched;
  }

  private haveOrder(sites: readonly Site[]): boolean {
    const graph = isModel(sites[0].layer) ? this.graph : new PartGraph(this.graph.graph, new Set());
    return graph.isChain(sites);
  }
}

function siteOf({ sites, seen }: WatchedLayer, inputs: readonly tf.Tensor[]): { at: number; again: boolean } {
  const again = seen.find((call) => call.inputs.length === inputs.length && call.inputs.every((input, i) => input === inputs[i]));
  if (again !== undefined) return { at: again.at, again: true };
  const expected = seen.length === 0 ? 0 : (seen[seen.length - 1].at + 1) % sites.length;
  const fits = (at: number): boolean => sites[at].inputs[0].tensor.rank === inputs[0].rank;
  const at = fits(expected) ? expected : Math.max(0, sites.findIndex((_, i) => fits(i)));
  seen.push({ inputs: [...inputs], at });
  return { at, again: false };
}
