import * as tf from '@tensorflow/tfjs-core';
import type { Reward, RewardContext, RewardEntries } from '../losses/reward';

/** Whether `rewardEntries` works on this backend: WebGPU cannot read a dense reward synchronously. */
export function canStream(reward: Reward | undefined): boolean {
  return reward?.entries !== undefined || !tf.getBackend().startsWith('webgpu');
}

/** A reward without its zeros: its own `entries`, or those picked from its dense [P, V]. */
export function rewardEntries(reward: Reward, context: RewardContext): RewardEntries {
  if (reward.entries !== undefined) return reward.entries(context);
  const dense = reward(context); // [P, V]
  const values = dense.dataSync<'float32'>();
  dense.dispose();
  const places: number[] = [];
  values.forEach((value, place) => {
    if (value !== 0) places.push(place);
  });
  const { vocabSize } = context;
  return {
    rows: Int32Array.from(places, (place) => Math.floor(place / vocabSize)),
    tokens: Int32Array.from(places, (place) => place % vocabSize),
    masses: tf.tensor1d(Float32Array.from(places, (place) => values[place])),
  };
}
