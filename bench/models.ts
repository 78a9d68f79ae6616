import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {
  AdamW,
  type CausalLMConfig,
  causalLM,
  createRandom,
  ilrec,
  type IlrecMethod,
  type IlrecOptions,
  RMSNorm,
  TokenEmbedding,
} from 'tfjs-ilrec';
import { peakBytes } from '../spec/support/peak_memory';
import { disposeModel } from '../src/models/dispose_model';

export type Loss = (labels: tf.Tensor, predictions: tf.Tensor) => tf.Scalar;

export interface BatchSizes {
  /** B. */
  readonly batchSize: number;
  /** T. */
  readonly sequenceLength: number;
  /** Response tokens at the end of each row. */
  readonly response: number;
}

export interface Batch {
  /** int32 [B, T]. */
  readonly ids: tf.Tensor2D;
  /** int32 [B, T], the ids shifted by one on the response positions, -100 elsewhere. */
  readonly labels: tf.Tensor2D;
}

/** Response-only cross-entropy. */
export const sft = (options: IlrecOptions = {}): IlrecMethod =>
  ilrec({ penaltyWeight: 0, distillationWeight: 0, ...options });

/**
 * A decoder whose matrices are random with the usual deviation; tfjs's normal numbers take a minute for a vocabulary of
 * 256k.
 */
export function benchModel(config: CausalLMConfig): tfl.LayersModel {
  const model = causalLM({ ...config, initializerRange: 0 });
  model.weights.forEach((weight, i) => {
    if (weight.shape.length === 2) writeUniform(weight, i + 1);
  });
  return model;
}

function writeUniform(weight: tfl.LayerVariable, seed: number): void {
  const values = new Float32Array(tf.util.sizeFromShape(weight.shape as number[]));
  let state = Math.imul(seed, 0x9e3779b9);
  for (let i = 0; i < values.length; i++) {
    state ^= state << 13; // xorshift (Marsaglia, 2003)
    state ^= state >>> 17;
    state ^= state << 5;
    values[i] = (state / 2 ** 31) * 0.02 * Math.sqrt(3);
  }
  tf.tidy(() => void weight.write(tf.tensor(values, weight.shape as number[])));
}

/** Rows of random tokens; what follows in each is fixed, so that a model can learn it. */
export function randomBatch(vocabSize: number, { batchSize, sequenceLength, response }: BatchSizes, seed = 1): Batch {
  const random = createRandom(seed);
  const rows = Array.from({ length: batchSize }, () =>
    Int32Array.from({ length: sequenceLength + 1 }, () => random.int(vocabSize)),
  );
  const make = (token: (row: Int32Array, at: number) => number): tf.Tensor2D =>
    tf.tensor2d(
      Int32Array.from({ length: batchSize * sequenceLength }, (_, i) =>
        token(rows[Math.floor(i / sequenceLength)], i % sequenceLength),
      ),
      [batchSize, sequenceLength],
      'int32',
    );
  return {
    ids: make((row, at) => row[at]),
    labels: make((row, at) => (at < sequenceLength - response ? -100 : row[at + 1])),
  };
}

export interface TrainingStep {
  readonly model: tfl.LayersModel;
  /** A method's own, or that of `onLogits`. */
  readonly lossOf: (ids: tf.Tensor, labels: tf.Tensor) => tf.Scalar;
  readonly batch: Batch;
  readonly optimizer: tf.Optimizer;
}

/** The loss of a batch by a function of all logits. */
export function onLogits(model: tfl.LayersModel, loss: Loss): TrainingStep['lossOf'] {
  return (ids, labels) => loss(labels, model.apply(ids, { training: true }) as tf.Tensor);
}

/**
 * A step of a hand-written loop; it ends with the loss and a number of the first trained weight on the CPU, and returns
 * the loss.
 */
export function trainingStep({ model, lossOf, batch: { ids, labels }, optimizer }: TrainingStep): () => number {
  const variables = model.trainableWeights.map((weight) => weight.read() as tf.Variable);
  return () => {
    const { value, grads } = tf.variableGrads(() => lossOf(ids, labels), variables);
    optimizer.applyGradients(grads);
    const [result] = value.dataSync();
    firstNumber(variables[0]);
    tf.dispose([value, grads]);
    return result;
  };
}

/** Waits for a tensor by reading one number of it. */
export function firstNumber(tensor: tf.Tensor): number {
  return tf.tidy(() => tf.slice(tf.reshape(tensor, [-1]), 0, 1).dataSync()[0]);
}

/** Leaves the weights as they are, at the cost of a step: what is timed stays the same from run to run. */
export const standingOptimizer = (): AdamW => new AdamW({ learningRate: 0 });

/**
 * Trains all weights on the batch, until a label's probability is far from 1 / V: about one over the number of
 * different labels.
 * @returns the last cross-entropy.
 */
export function learn(
  model: tfl.LayersModel,
  batch: Batch,
  { steps = 12, learningRate = 3e-3 }: { steps?: number; learningRate?: number } = {},
): number {
  const method = sft();
  method.attach(model);
  const optimizer = new AdamW({ learningRate });
  const step = trainingStep({ model, lossOf: method.lossOf, batch, optimizer });
  let loss = NaN;
  for (let i = 0; i < steps; i++) loss = step();
  method.detach();
  optimizer.dispose();
  return loss;
}

/**
 * Cross-entropy over all logits [B, T, V] with the response as a mask, the labels as one-hot rows: what tfjs offers for
 * it.
 */
export function fullLogitLoss(labels: tf.Tensor, logits: tf.Tensor): tf.Scalar {
  return tf.tidy(() => {
    const vocabSize = logits.shape[2] as number;
    const targets = tf.reshape(labels, [-1]); // [B * T]
    const mask = tf.cast(tf.greaterEqual(targets, 0), 'float32'); // [B * T]
    const oneHot = tf.cast(tf.oneHot(tf.cast(tf.maximum(targets, 0), 'int32') as tf.Tensor1D, vocabSize), 'float32'); // [B * T, V]
    return tf.losses.softmaxCrossEntropy(oneHot, tf.reshape(logits, [-1, vocabSize]), mask) as tf.Scalar; // mean over the mask
  });
}

/** Adds a bias to its input: a block that costs next to nothing and is trained. */
class Shift extends tfl.layers.Layer {
  static readonly className = 'BenchShift';
  private bias!: tfl.LayerVariable;

  override build(inputShape: tfl.Shape): void {
    const initializer = tfl.initializers.randomNormal({
      mean: 0,
      stddev: 0.02,
      seed: Number(this.name.replace(/\D/g, '')),
    });
    this.bias = this.addWeight('bias', [inputShape[inputShape.length - 1]], 'float32', initializer);
    this.built = true;
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.add(Array.isArray(inputs) ? inputs[0] : inputs, this.bias.read());
  }
}
tf.serialization.registerClass(Shift);

export interface RowLossSizes extends BatchSizes {
  /** V. */
  readonly vocabSize: number;
  /** D. */
  readonly hiddenSize: number;
  /** k. */
  readonly numNegativeLayers: number;
}

export interface RowLoss {
  readonly model: tfl.LayersModel;
  readonly batch: Batch;
  /** The loss alone, on the tape. */
  readonly loss: () => tf.Scalar;
  /** The loss with its gradients on the hidden states of all layers. */
  run(): { readonly loss: number; readonly gradients: readonly Float32Array[] };
  /** Largest number of bytes that loss and gradients held, above what the forward pass of the body left. */
  peak(): number;
  dispose(): void;
}

/**
 * ILRec's loss with a frozen head, on the hidden states of a body that costs next to nothing: an embedding, k + 1
 * biases as blocks, a norm.
 */
export function lossOfRows({ vocabSize, hiddenSize, numNegativeLayers, ...batchSizes }: RowLossSizes): RowLoss {
  const embedding = new TokenEmbedding({ name: 'embed_tokens', vocabSize, hiddenSize, initializerRange: 0 });
  const input = tfl.input({ shape: [null], dtype: 'int32' }); // [B, T]
  let hidden = embedding.apply(input) as tfl.SymbolicTensor; // [B, T, D]
  for (let layer = 0; layer <= numNegativeLayers; layer++)
    hidden = new Shift({ name: `shift_${layer}` }).apply(hidden) as tfl.SymbolicTensor;
  const normed = new RMSNorm({ name: 'norm', trainable: false }).apply(hidden);
  const model = tfl.model({ inputs: input, outputs: embedding.apply(normed) as tfl.SymbolicTensor });
  const body = tfl.model({ inputs: input, outputs: normed as tfl.SymbolicTensor });
  writeUniform(embedding.weights[0], 1);
  // set on a built layer, it reaches the variable, which tells the loss that the head is frozen
  embedding.trainable = false;
  const method = ilrec({ numNegativeLayers, taps: { blocks: /^shift_/, norm: 'norm', head: 'embed_tokens' } });
  method.attach(model);
  const batch = randomBatch(vocabSize, batchSizes);
  const loss = (): tf.Scalar => method.lossOf(batch.ids, batch.labels);
  return rowLoss(
    model,
    batch,
    loss,
    () => tf.tidy(() => void body.apply(batch.ids, { training: true })),
    () => method.detach(),
  );
}

/** @param forward what the loss starts from, alone. */
export function rowLoss(
  model: tfl.LayersModel,
  batch: Batch,
  loss: () => tf.Scalar,
  forward: () => void,
  detach: () => void,
): RowLoss {
  const variables = model.trainableWeights.map((weight) => weight.read() as tf.Variable);
  const run: RowLoss['run'] = () => {
    const { value, grads } = tf.variableGrads(loss, variables);
    const result = {
      loss: value.dataSync()[0],
      gradients: variables.map(({ name }) => grads[name].dataSync<'float32'>()),
    };
    tf.dispose([value, grads]);
    return result;
  };
  return {
    model,
    batch,
    loss,
    run,
    peak() {
      const before = peakBytes(forward);
      return peakBytes(run) - before;
    },
    dispose() {
      detach();
      disposeModel(model);
      tf.dispose([batch.ids, batch.labels]);
    },
  };
}

/** Largest difference of two lists of arrays over the largest number of the second. */
export function relativeDifference(ours: readonly ArrayLike<number>[], other: readonly ArrayLike<number>[]): number {
  let [difference, largest] = [0, 0];
  other.forEach((values, i) => {
    for (let j = 0; j < values.length; j++) {
      difference = Math.max(difference, Math.abs(ours[i][j] - values[j]));
      largest = Math.max(largest, Math.abs(values[j]));
    }
  });
  return difference / largest;
}
