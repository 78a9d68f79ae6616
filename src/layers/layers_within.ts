import * as tfl from '@tensorflow/tfjs-layers';

/** A layer and the layers that it holds, each once: those of a nested model, of a wrapper, of a recurrent cell, or attributes of its own. */
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
