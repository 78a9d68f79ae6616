import * as tf from '@tensorflow/tfjs-core';

/**
 * How the logit z of a negative is raised by CPO, z' = z + alpha w s(z). `scale`: s = |z|, the paper's factor (1 +
 * alpha w) made safe for negative logits. `paper`: s = z, the factor as printed, which lowers a negative logit.
 * `additive`: s = 1.
 */
export type Penalty = 'scale' | 'paper' | 'additive';

interface PenaltyForm {
  /** Its number where the backends' kernels ask which form is meant. */
  readonly kind: number;
  /** s of each logit. */
  readonly strength: (z: tf.Tensor) => tf.Tensor;
  /** ds / dz of each logit. */
  readonly slope: (z: tf.Tensor) => tf.Tensor;
  /** s and ds / dz of one logit. */
  readonly ofNumber: (z: number) => readonly [strength: number, slope: number];
}

/**
 * The penalty s(z) and its derivative.
 *
 * s(z) is defined once per language: here for TypeScript, in assembly/penalty.ts for AssemblyScript and in
 * src/kernels/webgpu/head/penalty.ts for WGSL. Change all three.
 */
export const PENALTIES: Readonly<Record<Penalty, PenaltyForm>> = {
  scale: {
    kind: 0,
    strength: (z) => tf.abs(z),
    slope: (z) => tf.sign(z),
    ofNumber: (z) => [Math.abs(z), Math.sign(z)],
  },
  paper: {
    kind: 1,
    strength: (z) => z,
    slope: () => tf.scalar(1),
    ofNumber: (z) => [z, 1],
  },
  additive: {
    kind: 2,
    strength: () => tf.scalar(1),
    slope: () => tf.scalar(0),
    ofNumber: () => [1, 0],
  },
};
