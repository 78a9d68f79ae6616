import * as tfl from '@tensorflow/tfjs-layers';

/**
 * A layer and all layers inside it, each once: layers of a nested model, a wrapper, a recurrent cell, or in the layer's
 * attributes.
 */
export function layersWithin(layer: tfl.layers.Layer): tfl.layers.Layer[] {
  const found = new Set<tfl.layers.Layer>();
  const visit = (value: unknown, depth: number): void => {
    if (value instanceof tfl.layers.Layer) {
      if (found.has(value)) return;
      found.add(value);
      for (const attribute of Object.values(value)) visit(attribute, 2);
    } else if (depth > 0 && isPlain(value)) {
      for (const item of Object.values(value)) visit(item, depth - 1); // lists and records of layers
    }
  };
  visit(layer, 0);
  return [...found];
}

function isPlain(value: unknown): value is object {
  return (
    Array.isArray(value) ||
    (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype)
  );
}
