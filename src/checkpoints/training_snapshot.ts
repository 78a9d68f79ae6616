import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { IlrecError } from '../errors';
import { optimizerState, restoreOptimizer } from './optimizer_state';
import type { TensorData, TensorFile } from '../safetensors/safetensors';

/** All that a run needs to go on: tensors in a file's form, and where it stood. */
export interface TrainingSnapshot {
  readonly step: number;
  /** What the callbacks keep, as plain data, by the callback's name. */
  readonly callbacks: Readonly<Record<string, unknown>>;
  readonly file: TensorFile;
}

const MODEL_PREFIX = 'model.';
const OPTIMIZER_PREFIX = 'optimizer.';
const STATE_KEY = 'state';

/** What training can change: the model's weights, or those of the adapters on it, whose base stays. */
export function trainedVariables(model: tfl.LayersModel): tfl.LayerVariable[] {
  const own = new Set(model.weights);
  const trained = model.trainableWeights;
  return trained.every((variable) => own.has(variable)) ? model.weights : trained;
}

/** Reads what training can change back from the device, in the model's order. */
export async function readWeights(model: tfl.LayersModel): Promise<TensorData[]> {
  return await Promise.all(trainedVariables(model).map((variable) => readTensor(variable.read())));
}

/** @throws IlrecError when the number of weights or a shape differs. */
export function writeWeights(model: tfl.LayersModel, weights: readonly TensorData[]): void {
  const variables = trainedVariables(model);
  const current = variables.map((variable) => variable.read());
  if (current.length !== weights.length) {
    throw new IlrecError(
      `writeWeights: the model has ${current.length} weights, got ${weights.length}; use the config that the weights were trained with`,
    );
  }
  weights.forEach(({ shape }, i) => {
    if (!tf.util.arraysEqual(shape as number[], current[i].shape)) {
      throw new IlrecError(
        `writeWeights: weight ${i} must be [${current[i].shape.join(', ')}], got [${shape.join(', ')}]; use the config that the weights were trained with`,
      );
    }
  });
  weights.forEach(({ data, shape }, i) => tf.tidy(() => void variables[i].write(tf.tensor(data, [...shape]))));
}

/**
 * Takes model, optimizer and callbacks into one snapshot.
 *
 * @throws IlrecError when the optimizer's state cannot be saved.
 */
export async function takeSnapshot(
  model: tfl.LayersModel,
  optimizer: tf.Optimizer,
  step: number,
  callbacks: Record<string, unknown> = {},
): Promise<TrainingSnapshot> {
  const tensors = new Map<string, TensorData>();
  (await readWeights(model)).forEach((weight, i) => tensors.set(`${MODEL_PREFIX}${i}`, weight));
  const [iterations, ...moments] = await optimizerState(optimizer);
  for (const [i, { tensor }] of [iterations, ...moments].entries())
    tensors.set(`${OPTIMIZER_PREFIX}${i}`, await readTensor(tensor));
  iterations.tensor.dispose();
  return { step, callbacks, file: { tensors, metadata: { [STATE_KEY]: JSON.stringify({ step, callbacks }) } } };
}

/**
 * Puts a snapshot's weights and optimizer state back.
 *
 * @throws IlrecError when they do not fit.
 */
export async function restoreSnapshot(
  model: tfl.LayersModel,
  optimizer: tf.Optimizer,
  { file }: TrainingSnapshot,
): Promise<void> {
  writeWeights(model, listOf(file, MODEL_PREFIX));
  await restoreOptimizer(optimizer, model, listOf(file, OPTIMIZER_PREFIX));
}

/** @throws IlrecError when the file is no snapshot. */
export function snapshotOf(file: TensorFile, name: string): TrainingSnapshot {
  const text = file.metadata[STATE_KEY];
  if (text === undefined)
    throw new IlrecError(`snapshotOf: ${name} must hold a training state, got none; use a checkpoint of a run`);
  const { step, callbacks } = JSON.parse(text) as Pick<TrainingSnapshot, 'step' | 'callbacks'>;
  return { step, callbacks, file };
}

/** Tensors as a file, named by their position. */
export function fileOfWeights(weights: readonly TensorData[]): TensorFile {
  return { tensors: new Map(weights.map((weight, i) => [`${MODEL_PREFIX}${i}`, weight])), metadata: {} };
}

/** The model's weights in a file, in order. */
export function weightsOf(file: TensorFile): TensorData[] {
  return listOf(file, MODEL_PREFIX);
}

function listOf({ tensors }: TensorFile, prefix: string): TensorData[] {
  const list: TensorData[] = [];
  for (let tensor; (tensor = tensors.get(`${prefix}${list.length}`)) !== undefined;) list.push(tensor);
  return list;
}

async function readTensor(tensor: tf.Tensor): Promise<TensorData> {
  const data = (await tensor.data()) as Float32Array | Int32Array;
  return { shape: tensor.shape.slice(), data: data.slice() }; // a copy: some backends hand out their own memory
}
