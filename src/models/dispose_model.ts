import type * as tfl from '@tensorflow/tfjs-layers';
import { type Call, callGroups } from '../layers/call_groups';
import { TokenEmbedding } from '../layers/token_embedding';

type Layer = tfl.layers.Layer;

/**
 * Frees all weights of a model, also those of nested models, and its optimizer's state where `model.dispose()` does.
 *
 * tfjs counts the calls of a layer and `model.dispose()` takes back one of them, so the weights of a layer that is
 * called twice (a tied embedding that is not of this package, a shared block) stay behind. This function takes back all
 * calls of the model. Weights of layers that another model also calls stay until that model is disposed. A model that
 * is a layer of another one is freed with that one.
 *
 * @param model any LayersModel. One that was disposed before is fine: what stayed behind is freed.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { causalLM, disposeModel } from 'tfjs-ilrec';
 *
 * const before = tf.memory().numTensors;
 * const model = causalLM({ vocabSize: 11, hiddenSize: 8, numHiddenLayers: 1, numAttentionHeads: 2 }); // the head is the embedding
 * disposeModel(model);
 * console.log(tf.memory().numTensors - before); // 0
 * ```
 */
export function disposeModel(model: tfl.LayersModel): void {
  const isFirst = usesOf(model) > 0;
  if (isFirst && callsOf(model) > 0) return; // a layer of another model
  if (isFirst) model.dispose(); // one call of each layer
  releaseLayers(model, isFirst);
}

/** @param isFirst whether `model.dispose()` ran just now, and not in an earlier call. */
function releaseLayers(model: tfl.LayersModel, isFirst: boolean): void {
  for (const [layer, calls] of callsWithin(model)) {
    if (isModel(layer)) {
      releaseLayers(layer, isFirst);
      continue;
    }
    const isShared = callsOf(layer) > calls.length; // with another model
    const callsLeft = !isShared ? Infinity : isFirst ? countedCalls(layer, calls) - 1 : 0;
    for (let i = 0; i < callsLeft && usesOf(layer) > 0; i++) layer.dispose();
  }
}

function isModel(layer: Layer): layer is tfl.LayersModel {
  return 'layers' in layer;
}

/** How often any model calls a layer. A model has one more node, which is its own. */
function callsOf(layer: Layer): number {
  return layer.inboundNodes.length - (isModel(layer) ? 1 : 0);
}

/** tfjs's own count, which is 0 for what is disposed, and null for a layer that was never used. */
function usesOf(layer: Layer): number {
  return (Reflect.get(layer, '_refCount') as number | null) ?? 0;
}

/** What `dispose` of a layer counts: calls, or graphs. */
function countedCalls(layer: Layer, calls: readonly Call[]): number {
  if (!(layer instanceof TokenEmbedding)) return calls.length;
  return callGroups(layer).filter((group) => group.some((call) => calls.includes(call))).length;
}

/** The calls of the model's graph, by layer; input layers, which have no weights, are left out. */
function callsWithin(model: tfl.LayersModel): Map<Layer, Call[]> {
  const calls = new Map<Layer, Call[]>();
  const inputs = new Set(model.inputs);
  const seen = new Set<Call>();
  const visit = (tensor: tfl.SymbolicTensor): void => {
    const call = tensor.sourceLayer.inboundNodes[tensor.nodeIndex];
    if (inputs.has(tensor) || seen.has(call)) return;
    seen.add(call);
    calls.set(call.outboundLayer, [...(calls.get(call.outboundLayer) ?? []), call]);
    call.inputTensors.forEach(visit);
  };
  model.outputs.forEach(visit);
  return calls;
}
