import * as tf from '@tensorflow/tfjs-core';
import { registerKernels, unregisterKernels } from '../../src/kernels/register_kernels';
import { forEachBackend } from '../support/backends';

/** Computes with tfjs's own kernels, on the current backend. */
export function withoutOwnKernels<T>(compute: () => T): T {
  unregisterKernels();
  try {
    return compute();
  } finally {
    registerKernels();
  }
}

/** Runs the cases once per backend, and on wasm once more where operations are composed of tfjs's own kernels. */
export function forEachForm(define: () => void): void {
  forEachBackend(define);
  describe('on wasm without own kernels', () => {
    before(async () => {
      await tf.setBackend('wasm');
      unregisterKernels();
    });
    after(() => registerKernels());
    define();
  });
}
