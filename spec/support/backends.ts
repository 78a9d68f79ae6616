import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers';
import '@tensorflow/tfjs-backend-cpu';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import '../../src/register';

const wasmPackage = dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm/package.json'));
setWasmPaths(join(wasmPackage, 'dist') + '/');

export const backendNames = ['cpu', 'wasm'] as const;
export type BackendName = (typeof backendNames)[number];

/** Runs the cases once per backend present, with that backend set. */
export function forEachBackend(define: (backend: BackendName) => void): void {
  for (const backend of backendNames) {
    describe(`on ${backend}`, () => {
      before(async () => {
        await tf.setBackend(backend);
        await tf.ready();
      });
      define(backend);
    });
  }
}
