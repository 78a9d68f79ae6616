import type * as tfl from '@tensorflow/tfjs-layers';
import { IlrecError } from '../errors';
import { shadow } from '../shadow';

interface DatasetLike {
  readonly size?: number | null;
  iterator(): Promise<{ next(): Promise<IteratorResult<unknown>> }>;
}

/**
 * Refuses sample and class weights while a model is tapped. The loss is a mean over response positions; tfjs would
 * multiply that mean by the weights of the rows, or drop them silently.
 *
 * @param name the public function that the errors start with.
 * @returns removes the refusal.
 */
export function refuseWeights(model: tfl.LayersModel, name: string): () => void {
  const refuse = (caller: string, option: string): never => {
    throw new IlrecError(
      `${name}: ${caller} must not get ${option}, the loss is a mean over response positions; set the labels of ` +
        'positions that should not count to -100',
    );
  };
  const checkArgs = (caller: string, args: object | undefined): void => {
    for (const option of ['sampleWeight', 'classWeight'])
      if (args !== undefined && Reflect.get(args, option) != null) refuse(caller, option);
  };
  const checkElement = (element: unknown): void => {
    if (typeof element !== 'object' || element === null) return;
    for (const option of ['sampleWeight', 'sampleWeights']) if (option in element) refuse('fitDataset', option);
  };
  const restores = [
    shadow(model, 'fit', (original) => async (x, y, args) => {
      checkArgs('fit', args);
      return original(x, y, args);
    }),
    shadow(model, 'fitDataset', (original) => async (dataset, args) => {
      checkArgs('fitDataset', args);
      const given = dataset as unknown as Partial<DatasetLike> | undefined;
      if (typeof given?.iterator !== 'function') return original(dataset, args); // a class may take something else
      const checked = checkEach(given as DatasetLike, checkElement);
      return original(checked as unknown as typeof dataset, args);
    }),
  ];
  return () => restores.forEach((restore) => restore());
}

/** The dataset, with a look at each element. */
function checkEach(dataset: DatasetLike, check: (element: unknown) => void): DatasetLike {
  return {
    size: dataset.size,
    iterator: async () => {
      const iterator = await dataset.iterator();
      return {
        next: async () => {
          const result = await iterator.next();
          check(result.value);
          return result;
        },
      };
    },
  };
}
