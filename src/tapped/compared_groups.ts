import type * as tf from '@tensorflow/tfjs-core';
import type { GrpoTokens } from '../losses/grpo';

/** How the groups of GRPO are made. */
export interface GroupOptions {
  /** G. */
  readonly groupSize: number;
  readonly groups: 'beam' | 'sample';
  readonly temperature: number;
  readonly seed: number;
  readonly seen: 'allow' | 'exclude' | undefined;
}

/** Q groups of G responses of a batch, each group best first. */
export interface ComparedGroups {
  /** Log-probabilities of the responses' tokens, [Q * G, T]. Gradient flows through `policy`. */
  readonly tokens: GrpoTokens;
  /** 1 for the target, [Q, G]. */
  readonly hits: tf.Tensor2D;
}
