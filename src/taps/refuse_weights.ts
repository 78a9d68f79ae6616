import type * as tfl from '@tensorflow/tfjs-layers';
import { IlrecError } from '../errors';
import { shadow } from '../shadow';

interface DatasetLike {
  readonly size?: number | null;
  iterator(): Promise<{ next(): Promise<IteratorResult<unknown>> }>;
}

/**
 * Refuses sample and class weights while a model is tapped: the loss is a mean over response positions, and tfjs would multiply that mean
 * by the weights of the rows, or drop them without a word.
 *
 * @returns takes the refusal away again.
 */
export function refuseWeights(model: tfl.LayersModel): () => void {
  const restores = [
    shadow(model, 'fit', (original) => async (x, y, args) => {
      checkArgs('fit', args);
      return original(x, y, args);
    }),
    shadow(model, 'fitDataset', (original) => async (dataset, args) => {
      checkArgs('fitDataset', args);
      return original(checked(dataset as unknown as DatasetLike) as unknown as typeof dataset, args);
    }),
  ];
  return () => restores.forEach((restore) => restore());
}

function checkArgs(method: string, args: object | undefined): void {
  for (const name of ['sampleWeight', 'classWeight']) {
    if (args !== undefined && Reflect.get(args, name) != null) throw refusal(method, name);
  }
}

/** The dataset, looked at element by element. */
function checked(dataset: DatasetLike): DatasetLike {
  return {
    size: dataset.size,
    iterator: async () => {
      const iterator = await dataset.iterator();
      return {
        next: async () => {
          const result = await iterator.next();
          const element: unknown = result.value;
          if (typeof element === 'object' && element !== null) {
            for (const name of ['sampleWeight', 'sampleWeights'])
              if (name in element) throw refusal('fitDataset', name);
          }
          return result;
        },
      };
    },
  };
}

function refusal(method: string, name: string): IlrecError {
  return new IlrecError(
    `ilrec: ${method} must not get ${name}, the loss is a mean over response positions; set the labels of positions that should not count to -100`,
  );
}
