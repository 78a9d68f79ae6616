import type * as tfl from '@tensorflow/tfjs-layers';
import { IlrecError } from '../errors';
import { warnOnce } from '../warn_once';
import { compiledFunctions, trainedModel } from './pass_hooks';

const METHODS = ['compile', 'fit', 'fitDataset'] as const;

/** Warns of a class that may train without the loss of the method `name`. */
export function warnOfOwnTraining(model: tfl.LayersModel, name: string): void {
  const own = ownTraining(model);
  if (own.length === 0) return;
  warnOnce(
    `${name}: ${model.constructor.name} has its own ${own.join(', ')}; nothing is trained by ${name} unless it calls ` +
      'the loss that compile is given',
  );
}

/** @throws IlrecError when `compile` was given the loss and the compiled model does not have it. */
export function refuseDroppedLoss(
  model: tfl.LayersModel,
  name: string,
  loss: unknown,
  { loss: given }: tfl.ModelCompileArgs,
): void {
  const isGiven = given === loss || Object.values(Object(given) as object).includes(loss);
  const compiled = compiledFunctions(trainedModel(model))?.losses ?? [];
  if (!isGiven || compiled.includes(loss)) return;
  throw new IlrecError(
    `${name}: compile got method.loss and does not train with it; let ${model.constructor.name}.compile call ` +
      'super.compile(args)',
  );
}

/** A training that ended without a call of the method's loss. */
export function unusedLoss(name: string): IlrecError {
  return new IlrecError(
    `${name}: the training ended without a call of method.loss, so it trained something else; compile with loss: ` +
      'method.loss, and see that a class of your own hands it on in compile, fit and fitDataset',
  );
}

/**
 * The methods for training that the model's class has of its own and that do not call tfjs's: such a class may train
 * without the loss that it is compiled with.
 *
 * @returns their names; empty for tfjs's own classes.
 */
function ownTraining(model: tfl.LayersModel): string[] {
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
