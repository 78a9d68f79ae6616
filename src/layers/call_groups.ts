import type * as tfl from '@tensorflow/tfjs-layers';

type Layer = tfl.layers.Layer;
/** A call of a layer in a graph. */
export type Call = Layer['inboundNodes'][number];

/**
 * The calls of a layer by the graph that they are in: one group for a model that calls the layer as embedding and as
 * head, or for two sequences; two for two models that share the layer and nothing else.
 */
export function callGroups(layer: Layer): Call[][] {
  const groups: Call[][] = [];
  const rest = new Set(layer.inboundNodes);
  for (const call of rest) {
    const connected = connectedTo(call);
    groups.push([...rest].filter((other) => connected.has(other)));
    for (const other of connected) rest.delete(other);
  }
  return groups;
}

/** A call, and those that it is connected with by tensors other than the inputs of models. */
function connectedTo(call: Call): Set<Call> {
  const found = new Set([call]);
  for (const { inputTensors, outputTensors, outboundLayer } of found) {
    // the loop over a Set also visits what is added
    for (const { sourceLayer, nodeIndex } of inputTensors)
      if (sourceLayer.getClassName() !== 'InputLayer') found.add(sourceLayer.inboundNodes[nodeIndex]);
    for (const reader of outboundLayer.outboundNodes)
      if (reader.inputTensors.some((tensor) => outputTensors.includes(tensor))) found.add(reader);
  }
  return found;
}
