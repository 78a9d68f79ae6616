import * as tf from '@tensorflow/tfjs-core';
import type { WebGpuBackend } from '../../../src/kernels/webgpu/webgpu_backend';

/** A program that one of tfjs's own kernels ran. */
export interface StockProgram {
  /** What tfjs calls it. */
  readonly key: string;
  /** Numbers of the largest tensor that it read or wrote. */
  readonly largest: number;
}

/** The programs of tfjs's own kernels that run meanwhile on webgpu, the backend that is set. */
export async function stockPrograms(run: () => void | Promise<void>): Promise<StockProgram[]> {
  const backend = tf.backend() as unknown as WebGpuBackend;
  const own = Object.getOwnPropertyDescriptor(backend, 'runWebGPUProgram');
  const original = backend.runWebGPUProgram;
  const programs: StockProgram[] = [];
  backend.runWebGPUProgram = (program, inputs, ...rest) => {
    const result = original.call(backend, program, inputs, ...rest);
    const sizes = [...inputs, result].map(({ shape }) => tf.util.sizeFromShape(shape));
    programs.push({ key: (program as { shaderKey: string }).shaderKey, largest: Math.max(...sizes) });
    return result;
  };
  try {
    await run();
  } finally {
    if (own === undefined) delete (backend as Partial<WebGpuBackend>).runWebGPUProgram;
    else Object.defineProperty(backend, 'runWebGPUProgram', own);
  }
  return programs;
}
