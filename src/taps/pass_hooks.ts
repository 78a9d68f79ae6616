import type * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import type { CallArgs } from '../layers/layer_types';
import { shadow } from '../shadow';
import { refuseWeights } from './refuse_weights';

type StepFunction = (data: tf.Tensor[]) => unknown;

/** What tfjs-layers keeps out of its public types. */
interface Compiled {
  makeTrainFunction: () => StepFunction;
  makeTestFunction: () => void;
  testFunction: StepFunction;
}

/** How a pass starts: by a user's own call of the model, by a training step, or by an evaluation step. */
export type PassKind = 'call' | 'train' | 'evaluate';

export interface PassListener {
  onPassBegin(kind: PassKind): void;
  /** A step is over, or has thrown. */
  onPassEnd(): void;
  /** @param args what the user called `compile` with. */
  onCompiled(args: tfl.ModelCompileArgs): void;
  /** A `fit` or `fitDataset` begins. @returns called when it is over. */
  onFit(): () => void;
}

/** The model that tfjs trains, tests and hands to callbacks: a Sequential's inner model, any other model itself. */
export function trainedModel(model: tfl.LayersModel): tfl.LayersModel {
  const inner: unknown = Reflect.get(model, 'model');
  return typeof inner === 'object' && inner !== null && 'getClassName' in inner ? (inner as tfl.LayersModel) : model;
}

/**
 * Reports the passes through a model. Where tfjs has made its train function before (the callback attaches in
 * `onTrainBegin`), the steps of that training are not seen here: the callback's `onBatchBegin` reports them.
 *
 * @param name the public function that the errors start with.
 * @returns removes the hooks.
 */
export function hookPasses(model: tfl.LayersModel, name: string, listener: PassListener): () => void {
  const trained = trainedModel(model);
  const compiled = trained as unknown as Compiled;
  const during =
    (kind: 'train' | 'evaluate', step: StepFunction): StepFunction =>
    (data) => {
      listener.onPassBegin(kind);
      try {
        return step(data);
      } finally {
        listener.onPassEnd();
      }
    };
  const restores = [
    refuseWeights(trained, name),
    shadow(trained, 'call', (original) => (inputs: tf.Tensor | tf.Tensor[], kwargs: CallArgs) => {
      listener.onPassBegin('call');
      return original(inputs, kwargs);
    }),
    shadow(compiled, 'makeTrainFunction', (original) => () => during('train', original())),
    shadow(compiled, 'makeTestFunction', (original) => () => {
      original();
      compiled.testFunction = during('evaluate', compiled.testFunction);
    }),
    ...[...new Set([model, trained])].map((each) =>
      shadow(each, 'compile', (original) => (args) => {
        original(args);
        listener.onCompiled(args);
      }),
    ),
    ...[...new Set([model, trained])].flatMap((each) => [
      shadow(each, 'fit', (original) => async (...args) => {
        const onEnd = listener.onFit();
        const result = await original(...args);
        onEnd();
        return result;
      }),
      shadow(each, 'fitDataset', (original) => async (...args) => {
        const onEnd = listener.onFit();
        const result = await original(...args);
        onEnd();
        return result;
      }),
    ]),
  ];
  return () => restores.forEach((restore) => restore());
}

/**
 * The functions that a compiled model runs on its outputs, each metric with the index of its output; null before
 * `compile`.
 */
export function compiledFunctions(
  model: tfl.LayersModel,
): { losses: readonly unknown[]; metrics: readonly (readonly [unknown, number])[] } | null {
  const losses: unknown = Reflect.get(model, 'lossFunctions');
  const metrics: unknown = Reflect.get(model, 'metricsTensors');
  return Array.isArray(losses) ? { losses, metrics: Array.isArray(metrics) ? metrics : [] } : null;
}

/**
 * Lets `fit`, `trainOnBatch` and `evaluate` take labels [B, T] for an output [B, T, V].
 * @returns restores the check.
 */
export function openTargetCheck(model: tfl.LayersModel, outputIndex: number): () => void {
  const shapes: unknown = Reflect.get(model, 'feedOutputShapes'); // undefined before compile
  if (!Array.isArray(shapes) || outputIndex >= shapes.length) return () => undefined;
  const before: unknown = shapes[outputIndex];
  shapes[outputIndex] = null;
  return () => {
    shapes[outputIndex] = before;
  };
}
