import type * as tfl from '@tensorflow/tfjs-layers';

export type Layer = tfl.layers.Layer;
type Node = Layer['inboundNodes'][number];

/** A tensor of the graph by its origin: an output of a call, or an input of the model. */
export interface Source {
  /** The call; null for an input of the model. */
  readonly site: Site | null;
  /** Index among the call's outputs, or the model's inputs. */
  readonly index: number;
  readonly tensor: tfl.SymbolicTensor;
}

/** One call of a layer in a model's graph: a shared layer has several. */
export interface Site {
  /** Different for every call of every graph. */
  readonly id: number;
  readonly layer: Layer;
  readonly inputs: readonly Source[];
  /** The call's outputs; for a nested model, what its own layers make. */
  readonly outputs: readonly Source[];
  /** The call of the nested model that contains this call. */
  readonly within: Site | null;
}

export interface ModelGraph {
  /** All calls, also those in nested models; each comes after what it reads, and a nested model after its parts. */
  readonly sites: readonly Site[];
  /** The calls in tfjs's order, which repeats a call for each further output that is used. */
  readonly order: readonly Site[];
  /** The model's outputs. */
  readonly outputs: readonly Source[];
}

/** Whether a layer is a model, also when another copy of tfjs-layers made it. */
export function isModel(layer: object): layer is tfl.LayersModel {
  return ['layers', 'inputs', 'outputs'].every((name) => Array.isArray(Reflect.get(layer, name)));
}

/** The layer's class name; an unregistered class may have no `className`. */
export function classOf(layer: Layer): string {
  return (layer.getClassName() as string | undefined) ?? layer.constructor.name;
}

let nextSiteId = 0;

/** Follows a model's outputs back to its inputs, through nested models, in the order in which tfjs computes them. */
export function traceModel(model: tfl.LayersModel): ModelGraph {
  const order: Site[] = [];
  const inputs = model.inputs.map((tensor, index): Source => ({ site: null, index, tensor }));
  const outputs = traceWithin(model, inputs, null, order);
  return { sites: [...new Set(order)], order, outputs };
}

/** @param order the calls are added to it. */
function traceWithin(model: tfl.LayersModel, inputs: readonly Source[], within: Site | null, order: Site[]): Source[] {
  const fed = new Map(model.inputs.map((tensor, i) => [tensor.id, inputs[i]]));
  const calls = new Map<Node, { readonly site: Site; readonly made: readonly Site[] }>();
  const computed = new Set<number>();
  const nodeOf = (tensor: tfl.SymbolicTensor): Node => tensor.sourceLayer.inboundNodes[tensor.nodeIndex];
  const sourceOf = (tensor: tfl.SymbolicTensor): Source =>
    fed.get(tensor.id) ?? (calls.get(nodeOf(tensor))?.site.outputs[tensor.tensorIndex] as Source);

  const compute = (tensor: tfl.SymbolicTensor): void => {
    if (fed.has(tensor.id) || computed.has(tensor.id)) return;
    computed.add(tensor.id);
    const node = nodeOf(tensor);
    [...node.inputTensors].reverse().forEach(compute); // tfjs puts them on a stack
    const before = calls.get(node);
    if (before !== undefined) {
      order.push(...before.made); // a further output of the same call
      return;
    }
    const { outboundLayer: layer } = node;
    const outputs: Source[] = [];
    const site: Site = { id: nextSiteId++, layer, inputs: node.inputTensors.map(sourceOf), outputs, within };
    const start = order.length;
    if (isModel(layer)) outputs.push(...traceWithin(layer, site.inputs, site, order));
    else outputs.push(...node.outputTensors.map((each, index) => ({ site, index, tensor: each })));
    order.push(site);
    calls.set(node, { site, made: order.slice(start) });
  };

  model.outputs.forEach(compute);
  return model.outputs.map(sourceOf);
}

/** The same graph in coarser parts: some nested models count as one part each, the others as their own layers. */
export class PartGraph {
  /** The parts, each after what it reads. */
  readonly parts: readonly Site[];
  private readonly indices: ReadonlyMap<Site, number>;

  /** @param whole the calls of nested models that count as one part. */
  constructor(
    readonly graph: ModelGraph,
    private readonly whole: ReadonlySet<Site>,
  ) {
    this.parts = graph.sites.filter((site) => this.partOf(site) === site && (whole.has(site) || !isModel(site.layer)));
    this.indices = new Map(this.parts.map((part, index) => [part, index]));
  }

  /** The part that contains a call. */
  partOf(site: Site): Site {
    let part = site;
    for (let outer = site.within; outer !== null; outer = outer.within) if (this.whole.has(outer)) part = outer;
    return part;
  }

  /** The part that makes a tensor; null for an input of the model. */
  maker(source: Source): Site | null {
    return source.site === null ? null : this.partOf(source.site);
  }

  /** The parts on all ways from a tensor to a part, including that part, in order; empty when there is no way. */
  between(from: Source, to: Site): Site[] {
    const needed = this.ancestors(to);
    const reached = new Set<Site>();
    for (const part of this.parts) {
      if (!needed.has(part)) continue;
      if (
        part.inputs.some(
          (input) => sameSource(input, from) || (input.site !== null && reached.has(this.partOf(input.site))),
        )
      )
        reached.add(part);
    }
    return reached.has(to) ? [...reached] : [];
  }

  /** A part and everything that it is computed from. */
  ancestors(part: Site): Set<Site> {
    const found = new Set([part]);
    for (const each of found)
      // the loop over a Set also visits what is added
      for (const input of each.inputs) if (input.site !== null) found.add(this.partOf(input.site));
    return found;
  }

  /** Index in `parts`; a later part never feeds an earlier one. */
  orderOf(part: Site): number {
    return this.indices.get(part) ?? -1;
  }
}

export function sameSource(a: Source, b: Source): boolean {
  return a.site === b.site && a.index === b.index;
}

/** Size of the last axis; null when unknown. */
export function widthOf(source: Source): number | null {
  return source.tensor.shape[source.tensor.rank - 1] ?? null;
}
