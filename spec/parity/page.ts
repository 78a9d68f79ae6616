/** Runs the parity cases in a page: `window.runParity('wasm', false)`. */
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import '@tensorflow/tfjs-backend-webgpu';
import '../../src/register';
import { useBackend } from '../../src/backends/use_backend';
import type { PlatformRun } from './parity_case';
import { runCases } from './run_cases';

setWasmPaths('/packages/@tensorflow/tfjs-backend-wasm/dist/');

async function runParity(backend: 'wasm' | 'webgpu', timed: boolean): Promise<PlatformRun> {
  await useBackend(backend);
  tf.env().set('WEBGPU_CPU_FORWARD', false); // otherwise small tensors are computed on the CPU and never reach a shader
  return await runCases(timed);
}

Object.assign(globalThis, { runParity });
