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

export interface PassListener {
  /** A pass starts: by a user's own call of the model, by a training step, or by an evaluation step. */
  onPassBegin(kind: 'call' | 'train' | 'evaluate'): void;
  /** A step is over, or has thrown. */
  onPassEnd(): void;
  onCompiled(): void;
}

/** The model that tfjs trains and tests, and hands to callbacks: a Sequential's inner model, any other model itself. */
export function trainedModel(model: tfl.LayersModel): tfl.LayersModel {
  const inner: unknown = Reflect.get(model, 'model');
  return typeof inner === 'object' && inner !== null && 'getClassName' in inner ? (inner as tfl.LayersModel) : model;
}

/**
 * Tells of the passes through a model. A training step under way is not told of: the callback's `onBatchBegin` stands in for it.
 *
 * @returns takes the hooks away again.
 */
export function hookPasses(model: tfl.LayersModel, listener: PassListener): () => void {
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
    refuseWeights(trained),
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
        listener.onCompiled();
      }),
    ),
  ];
  return () => restores.forEach((restore) => restore());
}

/** Functions that a compiled model runs on one of its outputs; null before `compile`. */
export function compiledFunctions(
  model: tfl.LayersModel,
): { losses: readonly unknown[]; metrics: readonly (readonly [unknown, number])[] } | null {
  const losses: unknown = Reflect.get(model, 'lossFunctions');
  const metrics: unknown = Reflect.get(model, 'metricsTensors');
  return Array.isArray(losses) ? { losses, metrics: Array.isArray(metrics) ? metrics : [] } : null;
}

/** Lets `fit`, `trainOnBatch` and `evaluate` take labels [B, T] for an output [B, T, V]. */
export function openTargetCheck(model: tfl.LayersModel, outputIndex: number): () => void {
  const shapes: unknown = Reflect.get(model, 'feedOutputShapes'); // undefined before compile
  if (!Array.isArray(shapes) || outputIndex >= shapes.length) return () => undefined;
  const before: unknown = shapes[outputIndex];
  shapes[outputIndex] = null;
  return () => {
    shapes[outputIndex] = before;
  };
}
