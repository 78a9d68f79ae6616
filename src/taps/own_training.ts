import type * as tfl from '@tensorflow/tfjs-layers';

const METHODS = ['compile', 'fit', 'fitDataset'] as const;

/**
 * The methods for training that the model's class has of its own and that do not call tfjs's: such a class may train
 * without the loss that it is compiled with.
 *
 * @returns their names; empty for tfjs's own classes.
 */
export function ownTraining(model: tfl.LayersModel): string[] {
  const own: string[] = [];
  for (
    let level = Object.getPrototypeOf(model) as object | null;
    level !== null;
    level = Object.getPrototypeOf(level)
  ) {
    if (isOfTfjs(level)) break;
    for (const method of METHODS) {
      const replaced: unknown = Object.getOwnPropertyDescriptor(level, method)?.value;
      if (typeof replaced === 'function' && !own.includes(method) && !/super/.test(String(replaced))) own.push(method);
    }
  }
  return own;
}

/** Whether it is the prototype of tfjs's LayersModel or Sequential, also of another copy of tfjs-layers. */
function isOfTfjs(prototype: object): boolean {
  const { constructor } = prototype;
  const isSequential =
    Object.hasOwn(constructor, 'className') && Reflect.get(constructor, 'className') === 'Sequential';
  return isSequential || Object.hasOwn(prototype, 'makeTrainFunction');
}
