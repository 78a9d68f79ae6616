import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers';
import '@tensorflow/tfjs-backend-cpu';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import '../../src/register';
import { findPackage, importPackage } from '../../src/backends/optional_package_node';
import { openWebGpu } from './webgpu';

const wasmPackage = dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm/package.json'));
setWasmPaths(join(wasmPackage, 'dist') + '/');

/** Asked for by ILREC_SPEC_BACKENDS, names with commas between; else all that are present. */
const asked = process.env.ILREC_SPEC_BACKENDS?.split(',');
const isAsked = (name: string): boolean => asked?.includes(name) ?? true;

const tfjsNode = isAsked('tensorflow') ? findPackage('@tensorflow/tfjs-node') : undefined;
if (tfjsNode !== undefined) {
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
  await importPackage(tfjsNode);
}
const webgpu = isAsked('webgpu') ? await openWebGpu() : null;

export type BackendName = 'cpu' | 'wasm' | 'tensorflow' | 'webgpu';

/** Backends that can be read at once: all of tfjs's but webgpu. */
export const backendNames: readonly BackendName[] = (['cpu', 'wasm', ...(tfjsNode === undefined ? [] : ['tensorflow' as const])] as const).filter(isAsked);

/** These and webgpu, where it is. */
export const presentBackends: readonly BackendName[] = [...backendNames, ...(webgpu === null ? [] : ['webgpu' as const])];

/** Runs the cases once per backend present, with that backend set; they may read tensors at once. */
export function forEachBackend(define: (backend: BackendName) => void): void {
  for (const backend of backendNames) describeOn(backend, define);
}

/** As `forEachBackend`, on WebGPU too where an adapter is there: the cases await `data()` and never read at once. */
export function forEachDevice(define: (backend: BackendName) => void): void {
  forEachBackend(define);
  onWebGpu(() => define('webgpu'));
}

/** Runs the cases on WebGPU, and fails one in which the device reports an error; skipped where no adapter is there. */
export function onWebGpu(define: () => void): void {
  if (!isAsked('webgpu')) return;
  if (webgpu === null) {
    it.skip('on webgpu: the package webgpu finds no adapter here');
    return;
  }
  describeOn('webgpu', () => {
    before(() => webgpu.errors()); // from here on
    afterEach(async () => {
      const errors = await webgpu.errors();
      if (errors.length > 0) throw new Error(`WebGPU: ${errors.join('; ')}`);
    });
    define();
  });
}

function describeOn(backend: BackendName, define: (backend: BackendName) => void): void {
  describe(`on ${backend}`, () => {
    before(async () => {
      await tf.setBackend(backend);
      await tf.ready();
    });
    define(backend);
  });
}
