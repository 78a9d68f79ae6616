import * as tf from '@tensorflow/tfjs-core';
import '../register'; // in a bundle nothing else does
import { IlrecError } from '../errors';
import { AUTO_ORDER, BACKENDS, type BackendName } from './backend_table_node';
import { installDawn, locateWasm, removeDawn, restoreOldUtil } from './node_runtime_node';
import { findPackage, importPackage, type OptionalPackage } from './optional_package_node';
import { changeBackend, firstLineOf, setBackend } from './set_backend';
import { findAdapter, isSoftware, nameOf, registerWebGpu } from './webgpu_device';

/** Options of `useBackend`. */
export interface UseBackendOptions {
  /** Called by `auto` with the reason for each installed backend that it skips. Default none. */
  readonly onSkip?: (reason: string) => void;
}

/**
 * Imports a backend's package, sets it as tfjs's backend and waits until it is ready.
 *
 * Calls run one after the other. A call that throws leaves the backend as it was.
 *
 * @param backend `'node-gpu'`, `'webgpu'`, `'node'`, `'wasm'`, `'cpu'`, or `'auto'` (default): the first of these that
 *   is installed and works. `'auto'` uses webgpu only on a real GPU; on a software adapter it must be asked for by
 *   name.
 * @param options see `UseBackendOptions`.
 * @returns the backend that is now set.
 * @throws IlrecError if the name is not one of these, if the backend's package is not installed (the message has the
 *   npm command), if it does not work (the message has the repair), or if the process has loaded the other one of
 *   tfjs-node and tfjs-node-gpu.
 * @example
 * ```ts
 * import { useBackend } from 'tfjs-ilrec/node';
 *
 * console.log(await useBackend('wasm')); // wasm
 * ```
 */
export async function useBackend(
  backend: BackendName | 'auto' = 'auto',
  { onSkip }: UseBackendOptions = {},
): Promise<BackendName> {
  return await changeBackend(() => (backend === 'auto' ? startFastest(onSkip) : start(backend)));
}

async function startFastest(onSkip: UseBackendOptions['onSkip']): Promise<BackendName> {
  for (const name of AUTO_ORDER) {
    if (missingPackages(name).length > 0) continue;
    try {
      return await start(name, false);
    } catch (error) {
      if (!(error instanceof IlrecError)) throw error;
      onSkip?.(error.message);
    }
  }
  throw new IlrecError(
    `useBackend: 'auto' needs a backend's package, got none that works; run "${BACKENDS.wasm.install}"`,
  );
}

/** Those packages of a backend that are not installed. */
export function missingPackages(backend: BackendName): string[] {
  return BACKENDS[backend].packages.filter((name) => findPackage(name) === undefined);
}

/** @param takesSoftware whether WebGPU may run on the CPU. */
async function start(name: BackendName, takesSoftware = true): Promise<BackendName> {
  const entry = BACKENDS[name] as (typeof BACKENDS)[BackendName] | undefined;
  if (entry === undefined)
    throw new IlrecError(
      `useBackend: backend must be one of auto, ${Object.keys(BACKENDS).join(', ')}, got '${String(name)}'`,
    );
  const missing = missingPackages(name);
  if (missing.length > 0) {
    throw new IlrecError(
      `useBackend: backend '${name}' needs ${missing.join(' and ')}, got no such package here; run "${entry.install}"`,
    );
  }
  try {
    await load(name, takesSoftware);
  } catch (error) {
    if (error instanceof IlrecError) throw error;
    throw new IlrecError(`useBackend: backend '${name}' must load, got "${firstLineOf(error)}"; ${entry.repair}`, {
      cause: error,
    });
  }
  const failure = await setBackend(entry.tfjsName);
  if (failure !== null)
    throw new IlrecError(`useBackend: backend '${name}' must start, got "${failure}"; ${entry.repair}`);
  if (entry.tfjsName === 'tensorflow') refuseOtherTensorFlow(name);
  return name;
}

async function load(name: BackendName, takesSoftware: boolean): Promise<void> {
  if (BACKENDS[name].tfjsName === 'tensorflow') {
    if (tf.findBackendFactory('tensorflow') != null) return; // both packages register this one name
    restoreOldUtil();
    process.env.TF_CPP_MIN_LOG_LEVEL ??= '2'; // errors only; TensorFlow reads it when it loads
  }
  if (name === 'webgpu') await openAdapter(takesSoftware);
  for (const found of BACKENDS[name].packages.map(findPackage)) await importPackage(found as OptionalPackage);
  if (name === 'wasm') await locateWasm();
  if (name !== 'webgpu') return;
  if (tf.findBackendFactory('webgpu') == null) {
    throw new IlrecError(
      "useBackend: backend 'webgpu' needs Dawn before its package is imported, got @tensorflow/tfjs-backend-webgpu imported already; remove that import, as useBackend makes it",
    );
  }
  await registerWebGpu();
}

/** Installs Dawn, and removes it again if it has no suitable adapter. */
async function openAdapter(takesSoftware: boolean): Promise<void> {
  const isOurs = await installDawn();
  const adapter = await findAdapter();
  if (adapter !== null && (takesSoftware || !isSoftware(adapter))) return;
  if (isOurs) removeDawn();
  if (adapter === null) throw new Error('no adapter');
  throw new IlrecError(
    `useBackend: backend 'webgpu' must have a GPU, got the software adapter ${nameOf(adapter)}, which is slower ` +
      "than wasm; install the GPU's driver, or ask for 'webgpu' by name",
  );
}

/**
 * @throws IlrecError if the process has loaded another TensorFlow than the one asked for. tfjs-node-gpu without a GPU
 *   counts as tfjs-node.
 */
function refuseOtherTensorFlow(name: BackendName): void {
  const { isGPUPackage, isUsingGpuDevice } = tf.backend() as { isGPUPackage?: boolean; isUsingGpuDevice?: boolean };
  if (name === 'node' && isUsingGpuDevice === true) throw loadedBefore(name, '@tensorflow/tfjs-node-gpu');
  if (name === 'node-gpu' && isGPUPackage !== true) throw loadedBefore(name, '@tensorflow/tfjs-node');
  if (name === 'node-gpu' && isUsingGpuDevice !== true) {
    throw new IlrecError(
      "useBackend: backend 'node-gpu' needs a GPU, got none that TensorFlow sees; check nvidia-smi and the CUDA libraries, or use 'node'",
    );
  }
}

function loadedBefore(name: BackendName, loaded: string): IlrecError {
  return new IlrecError(
    `useBackend: backend '${name}' needs ${BACKENDS[name].packages[0]}, got ${loaded} loaded before, and a ` +
      `process keeps the first; ask for '${name}' in a new process`,
  );
}
