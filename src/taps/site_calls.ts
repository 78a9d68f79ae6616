import type * as tf from '@tensorflow/tfjs-core';
import type { CallArgs } from '../layers/layer_types';
import { isRecomputing } from '../ops/recomputation';
import { shadow } from '../shadow';
import type { Layer, ModelGraph, Site } from './model_graph';

type Tensors = tf.Tensor | tf.Tensor[];

/**
 * Replaces a call. Gets its inputs, a function that runs the layer, and whether the pass has made the same call before;
 * returns the layer's outputs.
 */
export type CallHandler = (inputs: readonly tf.Tensor[], run: () => Tensors, again: boolean) => Tensors;

interface WatchedLayer {
  /** The layer's calls in a pass, in order. */
  readonly order: readonly Site[];
  readonly handlers: Map<Site, CallHandler>;
  /** The calls that the pass has made so far. */
  readonly made: Site[];
}

/**
 * Finds out which call of the graph a layer's running `call` is: a pass makes a layer's calls in the order in which
 * tfjs computes the graph.
 */
export class SiteCalls {
  private readonly watched = new Map<Layer, WatchedLayer>();
  private readonly restores: (() => void)[] = [];

  /** @param isActive whether a call with these arguments belongs to a pass of interest. */
  constructor(
    private readonly graph: ModelGraph,
    private readonly isActive: (kwargs: CallArgs | undefined) => boolean,
  ) {}

  /** Puts a handler around a call, outside the handlers that it has. */
  on(site: Site, handler: CallHandler): void {
    const { handlers } = this.watched.get(site.layer) ?? this.watch(site.layer);
    const before = handlers.get(site);
    handlers.set(
      site,
      before === undefined ? handler : (inputs, run, again) => handler(inputs, () => before(inputs, run, again), again),
    );
  }

  /** Forgets the calls of the last pass. */
  reset(): void {
    for (const { made } of this.watched.values()) made.length = 0;
  }

  restore(): void {
    for (const restore of this.restores.splice(0)) restore();
  }

  private watch(layer: Layer): WatchedLayer {
    const watched: WatchedLayer = {
      order: this.graph.order.filter((site) => site.layer === layer),
      handlers: new Map(),
      made: [],
    };
    this.watched.set(layer, watched);
    this.restores.push(
      shadow(layer, 'call', (original) => (inputs: Tensors, kwargs: CallArgs) => {
        const run = (): Tensors => original(inputs, kwargs);
        if (isRecomputing() || !this.isActive(kwargs)) return run();
        const list = Array.isArray(inputs) ? inputs : [inputs];
        const { site, again } = nextCall(watched, list[0].rank);
        return watched.handlers.get(site)?.(list, run, again) ?? run();
      }),
    );
    return watched;
  }
}

/** The next call. If the user's code makes them in another order, the next one whose input has this rank. */
function nextCall({ order, made }: WatchedLayer, rank: number): { site: Site; again: boolean } {
  if (made.length === order.length) made.length = 0; // a new pass, which was not announced
  const rest = order.slice(made.length);
  const site = rest.find(({ inputs }) => inputs[0].tensor.rank === rank) ?? rest[0];
  const again = made.includes(site);
  made.push(site);
  return { site, again };
}
