import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { IlrecError } from '../errors';
import { optimizerState, restoreOptimizer } from './optimizer_state';
import type { TensorData, TensorFile } from '../safetensors/safetensors';

/** The state of a training run: everything that is needed to resume it. */
export interface TrainingSnapshot {
  /** Training steps done. */
  readonly step: number;
  /** State of the callbacks as plain data, by the callback's name. */
  readonly callbacks: Readonly<Record<string, unknown>>;
  /** Weights and optimizer state. */
  readonly file: TensorFile;
}

const MODEL_PREFIX = 'model.';
const OPTIMIZER_PREFIX = 'optimizer.';
const STATE_KEY = 'state';

/**
 * The weights that training changes: all weights of the model, or those of its active adapter, whose base is frozen.
 */
export function trainedVariables(model: tfl.LayersModel): tfl.LayerVariable[] {
  const own = new Set(model.weights);
  const trained = model.trainableWeights;
  return trained.every((variable) => own.has(variable)) ? model.weights : trained;
}

/** Reads the weights that training changes, in the model's order. */
export async function readWeights(model: tfl.LayersModel): Promise<TensorData[]> {
  return await Promise.all(trainedVariables(model).map((variable) => readTensor(variable.read())));
}

/** Writes what `readWeights` read. @throws IlrecError when the number of weights or a shape differs. */
export function writeWeights(model: tfl.LayersModel, weights: readonly TensorData[], caller = 'writeWeights'): void {
  const variables = trainedVariables(model);
  const current = variables.map((variable) => variable.read());
  if (current.length !== weights.length) {
    throw new IlrecError(
      `${caller}: the model has ${current.length} weights, got ${weights.length}; use the config that the ` +
        'weights were trained with',
    );
  }
  weights.forEach(({ shape }, i) => {
    if (!tf.util.arraysEqual(shape as number[], current[i].shape)) {
      throw new IlrecError(
        `${caller}: weight ${i} must be [${current[i].shape.join(', ')}], got [${shape.join(', ')}]; use the ` +
          'config that the weights were trained with',
      );
    }
  });
  weights.forEach(({ data, shape }, i) => tf.tidy(() => void variables[i].write(tf.tensor(data, [...shape]))));
}

/**
 * Copies the state of model, optimizer and callbacks into a snapshot.
 *
 * @param model the trained model; with adapters, only the active adapter's weights are copied.
 * @param optimizer its optimizer.
 * @param step training steps done.
 * @param callbacks state of the callbacks as plain data, by name. Default none.
 * @returns the snapshot, on the CPU.
 * @throws IlrecError when the optimizer's state cannot be saved.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { causalLM, restoreSnapshot, takeSnapshot } from 'tfjs-ilrec';
 *
 * const model = causalLM({ vocabSize: 7, hiddenSize: 8, numHiddenLayers: 1 });
 * const optimizer = tf.train.adam(1e-3);
 * const snapshot = await takeSnapshot(model, optimizer, 120);
 * model.weights[0].write(tf.zeros([7, 8])); // something goes wrong
 * await restoreSnapshot(model, optimizer, snapshot);
 * console.log(snapshot.step, tf.max(model.weights[0].read()).dataSync()[0] > 0); // 120 true
 * ```
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
 * Restores the weights and the optimizer's state from a snapshot.
 *
 * @param model the model, built with the same config, with the same adapter if any.
 * @param optimizer an optimizer of the same class.
 * @param snapshot a snapshot of `takeSnapshot` or of a store.
 * @throws IlrecError when the number of weights or a shape differs, or the optimizer cannot load a state.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { causalLM, restoreSnapshot, takeSnapshot } from 'tfjs-ilrec';
 *
 * const build = (seed: number) => causalLM({ vocabSize: 7, hiddenSize: 8, numHiddenLayers: 1, seed });
 * const [model, other] = [build(1), build(2)];
 * await restoreSnapshot(other, tf.train.adam(1e-3), await takeSnapshot(model, tf.train.adam(1e-3), 0));
 * console.log(tf.all(tf.equal(model.weights[0].read(), other.weights[0].read())).dataSync()[0]); // 1
 * ```
 */
export async function restoreSnapshot(
  model: tfl.LayersModel,
  optimizer: tf.Optimizer,
  { file }: TrainingSnapshot,
): Promise<void> {
  writeWeights(model, listOf(file, MODEL_PREFIX), 'restoreSnapshot');
  await restoreOptimizer(optimizer, model, listOf(file, OPTIMIZER_PREFIX));
}

/** The snapshot in a file. @throws IlrecError when the file has none. */
export function snapshotOf(file: TensorFile, name: string, caller = 'snapshotOf'): TrainingSnapshot {
  const text = file.metadata[STATE_KEY];
  if (text === undefined)
    throw new IlrecError(`${caller}: ${name} must hold a training state, got none; use a checkpoint of a run`);
  const { step, callbacks } = JSON.parse(text) as Pick<TrainingSnapshot, 'step' | 'callbacks'>;
  return { step, callbacks, file };
}

/** Weights as a file, named by their position. */
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
  return { shape: tensor.shape.slice(), data: data.slice() }; // copied: some backends return their own memory
}
