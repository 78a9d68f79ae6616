import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import type { LoraOptions } from '../../src/lora';
import type { CausalLMConfig } from '../../src/models/causal_lm';
import { integers } from './random';

export const [B, T, V] = [2, 5, 13];
export const config: CausalLMConfig = {
  vocabSize: V,
  hiddenSize: 8,
  intermediateSize: 11,
  numHiddenLayers: 2,
  numAttentionHeads: 2,
  numKeyValueHeads: 1,
  tieWordEmbeddings: false,
  initializerRange: 0.4,
  seed: 3,
};
export const values = integers(B * T, V, 1);
export const labels = integers(B * T, V, 2);
export const ids = (): tf.Tensor2D => tf.tensor2d(values, [B, T], 'int32');
export const everything: LoraOptions = {
  targets: ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj', 'lm_head'],
  rank: 3,
  alpha: 7,
};
export const foreignTargets = ['kernel', 'gated/gate'];

export const predict = (model: tfl.LayersModel): Float32Array =>
  tf.tidy(() => (model.predict(ids()) as tf.Tensor).dataSync<'float32'>().slice());
export const train = (model: tfl.LayersModel): Float32Array =>
  tf.tidy(() => (model.apply(ids(), { training: true }) as tf.Tensor).dataSync<'float32'>().slice());
export const bytes = (model: tfl.LayersModel): number[][] => model.getWeights().map((weight) => [...weight.dataSync()]);
export const loss = (_: tf.Tensor, logits: tf.Tensor): tf.Scalar =>
  tf.tidy(() => {
    const logProbabilities = tf.logSoftmax(tf.reshape(logits, [-1, V]));
    const chosen = tf.sum(tf.mul(tf.cast(tf.oneHot(tf.tensor1d(labels, 'int32'), V), 'float32'), logProbabilities), 1);
    return tf.neg(tf.mean(chosen)) as tf.Scalar;
  });

/** Compiles, and takes steps with labels that the loss ignores. */
export async function fit(
  model: tfl.LayersModel,
  steps = 2,
  optimizer: tf.Optimizer = tf.train.adam(0.05),
): Promise<number[]> {
  model.compile({ optimizer, loss });
  Reflect.set(model, 'feedOutputShapes', [null]);
  const losses: number[] = [];
  for (let i = 0; i < steps; i++) losses.push((await model.trainOnBatch(ids(), tf.zeros([B, T]))) as number);
  return losses;
}
