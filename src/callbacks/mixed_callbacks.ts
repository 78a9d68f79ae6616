import * as tfl from '@tensorflow/tfjs-layers';
import { IlrecError } from '../errors';
import { overrideOnce } from '../shadow';
import { IlrecCallback } from './ilrec_callback';

/** What `fit` and `fitDataset` take as callbacks. */
interface FitArgs {
  readonly callbacks?: unknown;
  readonly yieldEvery?: ConstructorParameters<typeof tfl.CustomCallback>[1];
}

/**
 * Lets a list of callbacks hold plain objects beside the callback of a method, in any order.
 *
 * tfjs looks at the first entry alone: after an instance it calls every entry as an instance, and after a plain object
 * it wraps every entry, so that an instance no longer gets its model. `fit` and `fitDataset` of tfjs's models therefore
 * wrap the plain objects of a list that holds a method's callback, and only of such a list.
 */
export function allowMixedCallbacks(): void {
  const { prototype } = tfl.LayersModel;
  overrideOnce(prototype, 'fit', async (_, fit, [x, y, args]) => fit(x, y, withInstances('fit', args as FitArgs)));
  overrideOnce(prototype, 'fitDataset', async (_, fit, [dataset, args]) =>
    fit(dataset, withInstances('fitDataset', args as FitArgs)),
  );
}

function withInstances(caller: string, args: FitArgs | undefined): FitArgs | undefined {
  const { callbacks, yieldEvery } = args ?? {};
  if (!Array.isArray(callbacks) || !callbacks.some((callback) => callback instanceof IlrecCallback)) return args;
  return { ...args, callbacks: callbacks.map((callback) => instanceOf(caller, callback, yieldEvery)) };
}

function instanceOf(caller: string, callback: unknown, yieldEvery: FitArgs['yieldEvery']): object {
  if (typeof callback !== 'object' || callback === null)
    throw new IlrecError(`${caller}: callbacks must hold objects, got ${String(callback)}; leave it out of the list`);
  return 'setParams' in callback ? callback : new tfl.CustomCallback(callback, yieldEvery ?? 'auto');
}
