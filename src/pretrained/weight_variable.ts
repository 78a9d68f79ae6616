import type * as tfl from '@tensorflow/tfjs-layers';
import type { CheckpointWeight } from '../models/model_family';

/** The variable of a weight, found by the names of its layer and of the weight in the layer. */
export function weightVariable(
  model: tfl.LayersModel,
  { layer, weight }: Pick<CheckpointWeight, 'layer' | 'weight'>,
): tfl.LayerVariable {
  const path = `${layer}/${weight}`;
  const variable = model.layers
    .find(({ name }) => name === layer)
    ?.weights.find(({ originalName }) => originalName === path);
  if (variable === undefined)
    throw new Error(
      `weightVariable: the model must have ${path}, got ` +
        `${model.weights.map(({ originalName }) => originalName).join(', ')}`,
    );
  return variable;
}
