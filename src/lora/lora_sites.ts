import type * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { IlrecError } from '../errors';
import { layersWithin } from '../layers/layers_within';
import type { Adaptable } from '../layers/projection';

type Layer = tfl.layers.Layer;

/**
 * How an adapter changes the product with a weight. `projection`: a layer of this package adds the adapter's term.
 * `dense`: a tfjs dense layer is computed with the term. `weight`: any other layer reads the adapted weight during its
 * calls.
 */
export type LoraMechanism = 'projection' | 'dense' | 'weight';

/** A weight that can be adapted. */
export interface LoraSite {
  /** `layer/weight`, for example "layers_0/q_proj"; a tied head is "lm_head/weight". */
  readonly path: string;
  readonly mechanism: LoraMechanism;
  /** The layers of the model's graph in whose calls the weight is used. */
  readonly holders: readonly Layer[];
  /**
   * The holders and the layers inside them, down to the owner. A loss that projects rows may call an inner layer
   * directly.
   */
  readonly callers: readonly Layer[];
  /** The layer that owns the weight: the holder, or a layer inside it, such as a wrapped layer or a cell. */
  readonly owner: Layer;
  readonly variable: tfl.LayerVariable;
  /** Size of the input. */
  readonly inputSize: number;
  /** Size of the output. */
  readonly outputSize: number;
  /** Whether the weight is stored as [out, in], like a head's. */
  readonly transposed: boolean;
  /** Whether the weight is also the embedding table. */
  readonly tied: boolean;
}

/** All weights of a model that can be adapted. */
export interface LoraSites {
  readonly sites: readonly LoraSite[];
  /** Paths of embedding tables, which cannot be adapted: their rows are looked up, not multiplied. */
  readonly tables: readonly string[];
}

/** The layers of a model's graph, with the layers of nested models in place of these models. */
export function graphLayers(model: tfl.LayersModel): Layer[] {
  return [
    ...new Set(model.layers.flatMap((layer) => ('layers' in layer ? graphLayers(layer as tfl.LayersModel) : [layer]))),
  ];
}

/** Finds every weight of rank 2, and how to adapt it. */
export function findLoraSites(model: tfl.LayersModel): LoraSites {
  const graph = graphLayers(model);
  const within = new Map(graph.map((layer) => [layer, layersWithin(layer)]));
  const found = new Map<tfl.LayerVariable, { holder: Layer; name: string }>();
  for (const holder of graph) {
    for (const variable of holder.weights) {
      if (variable.shape.length === 2 && variable.dtype === 'float32' && !found.has(variable))
        found.set(variable, { holder, name: variable.originalName });
    }
  }
  const sites: LoraSite[] = [];
  const tables: string[] = [];
  const uses = new Map<string, number>();
  for (const [variable, { holder, name }] of found) {
    const count = uses.get(name) ?? 0;
    uses.set(name, count + 1);
    const path = count === 0 ? name : `${name}_${count}`; // several unnamed layers built by one layer share a name
    const owner = within.get(holder)?.findLast((layer) => layer.weights.includes(variable)) ?? holder;
    if (/embedding/i.test(owner.getClassName())) {
      tables.push(path);
      if (isAdaptable(owner) && isHead(owner)) sites.push(projectionSite(owner, variable, 'lm_head/weight', true));
    } else if (isAdaptable(owner) && owner.projections.includes(lastPart(name))) {
      sites.push(projectionSite(owner, variable, path, false));
    } else {
      const mechanism = isPlainDense(holder, owner) ? 'dense' : 'weight';
      const using = (layer: Layer): Layer[] =>
        within.get(layer)?.filter((inner) => inner.weights.includes(variable)) ?? [];
      const holders = mechanism === 'dense' ? [holder] : graph.filter((layer) => using(layer).length > 0);
      const callers = [...new Set(holders.flatMap((layer) => [layer, ...using(layer)]))];
      const [inputSize, outputSize] = variable.shape as number[];
      sites.push({
        path,
        mechanism,
        holders,
        callers,
        owner,
        variable,
        inputSize,
        outputSize,
        transposed: false,
        tied: false,
      });
    }
  }
  return { sites, tables };
}

function projectionSite(owner: Layer & Adaptable, variable: tfl.LayerVariable, path: string, tied: boolean): LoraSite {
  const transposed = 'vocabSize' in owner; // a head has one row per token
  const [rows, columns] = variable.shape as number[];
  const [inputSize, outputSize] = transposed ? [columns, rows] : [rows, columns];
  return {
    path,
    mechanism: 'projection',
    holders: [owner],
    callers: [owner],
    owner,
    variable,
    inputSize,
    outputSize,
    transposed,
    tied,
  };
}

/** The base's value of a weight, even while reading it returns an adapted value. */
export function baseValue(variable: tfl.LayerVariable): tf.Variable {
  return tfl.LayerVariable.prototype.read.call(variable) as tf.Variable;
}

/** Whether a layer of this package accepts adapters. */
export function isAdaptable(layer: Layer): layer is Layer & Adaptable {
  return 'projections' in layer && 'projectionDelta' in layer;
}

/** Whether an embedding is also a head, that is, called on hidden states [B, T, D]. */
export function isHead(layer: Layer): boolean {
  return layer.inboundNodes.some(({ inputTensors }) => inputTensors.some(({ rank }) => rank === 3));
}

/**
 * Whether it is a dense layer of the graph, alone or in `timeDistributed`. Inside other layers, its weights may be read
 * without a call.
 */
function isPlainDense(holder: Layer, owner: Layer): boolean {
  if (owner.getClassName() !== 'Dense') return false;
  return owner === holder || (holder.getClassName() === 'TimeDistributed' && Reflect.get(holder, 'layer') === owner);
}

/**
 * Selects weights by path: the end of a path ('q_proj', 'layers_0/q_proj', 'lm_head'), a list of these, a pattern, or a
 * predicate.
 */
export type LoraTargets = string | readonly string[] | RegExp | ((path: string) => boolean);

/**
 * The sites that the targets match, in the model's order.
 *
 * @throws IlrecError when a target matches no weight or an embedding table; the message lists the paths.
 */
export function selectLoraSites({ sites, tables }: LoraSites, targets: LoraTargets): LoraSite[] {
  const tests: [string, (path: string) => boolean][] =
    typeof targets === 'string' || Array.isArray(targets)
      ? [targets].flat().map((target: string) => [`"${target}"`, (path) => endsIn(path, target)])
      : [
          [
            String(targets),
            targets instanceof RegExp ? (path) => path.search(targets) >= 0 : (targets as (path: string) => boolean),
          ],
        ];
  if (tests.length === 0) throw new IlrecError('addLora: targets must name at least one weight, got an empty list');
  const chosen = new Set<LoraSite>();
  for (const [name, test] of tests) {
    const matches = sites.filter(({ path }) => test(path));
    const table = tables.find((path) => test(path));
    if (table !== undefined && !matches.some(({ tied }) => tied)) {
      throw new IlrecError(
        `addLora: target ${name} must not match an embedding table, got "${table}"; train the whole table with ` +
          `trainModules: '${table.split('/')[0]}'`,
      );
    }
    if (matches.length === 0)
      throw new IlrecError(
        `addLora: target ${name} matches no weight; weights: ${sites.map(({ path }) => path).join(', ')}`,
      );
    for (const site of matches) chosen.add(site);
  }
  return sites.filter((site) => chosen.has(site));
}

function endsIn(path: string, target: string): boolean {
  return [path, path.replace(/\/(weight|kernel)$/, '')].some((name) => name === target || name.endsWith(`/${target}`));
}

/** The part of a path after the last slash. */
export function lastPart(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
