import * as tf from '@tensorflow/tfjs-core';
import '../register'; // in a bundle nothing else does
import { IlrecError } from '../errors';
import { AUTO_ORDER, BACKENDS, type BackendName } from './backend_table_node';
import { installDawn, locateWasm, removeDawn, restoreOldUtil } from './node_runtime_node';
import { findPackage, importPackage, type OptionalPackage } from './optional_package_node';
import { changeBackend, firstLineOf, setBackend } from './set_backend';
import { findAdapter, isSoftware, nameOf, registerWebGpu } from './webgpu_device';

export interface UseBackendOptions {
  /** Told, with `auto`, why a backend that is installed was passed over; by default nobody is. */
  readonly onSkip?: (reason: string) => void;
}

/**
 * Imports a backend's package, sets it as tfjs's backend and waits until it is ready. Calls run one after the other; one that throws leaves the backend that
 * was set.
 *
 * @param backend `auto` takes the first of node-gpu, webgpu on a real GPU, node, wasm and cpu that is installed and works; webgpu on a software adapter only
 *   when asked for by name.
 * @returns the backend now in use.
 * @throws IlrecError with the npm command when its package is not installed, or with the repair when it does not work.
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

/** The packages of a backend that are not installed. */
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
    process.env.TF_CPP_MIN_LOG_LEVEL ??= '2'; // read by TensorFlow when it loads: warnings and errors only
  }
  if (name === 'webgpu') await openAdapter(takesSoftware);
  for (const found of BACKENDS[name].packages.map(findPackage)) await importPackage(found as OptionalPackage);
  if (name === 'wasm') await locateWasm();
  if (name !== 'webgpu') return;
  if (tf.findBackendFactory('webgpu') == null) {
    throw new IlrecError(
      "useBackend: backend 'webgpu' must be loaded with Dawn in place, got @tensorflow/tfjs-backend-webgpu imported before; leave that import out, useBackend makes it",
    );
  }
  await registerWebGpu();
}

/** Puts Dawn in place, and takes it away again where there is no adapter that is wanted. */
async function openAdapter(takesSoftware: boolean): Promise<void> {
  const isOurs = await installDawn();
  const adapter = await findAdapter();
  if (adapter !== null && (takesSoftware || !isSoftware(adapter))) return;
  if (isOurs) removeDawn();
  if (adapter === null) throw new Error('no adapter');
  throw new IlrecError(
    `useBackend: backend 'webgpu' must have a GPU, got the software adapter ${nameOf(adapter)}, which is slower than wasm; install the GPU's driver, or ask for 'webgpu' by name`,
  );
}

/** @throws IlrecError where TensorFlow, which a process loads once, is not the one asked for: tfjs-node-gpu without a GPU does as tfjs-node. */
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
    `useBackend: backend '${name}' needs ${BACKENDS[name].packages[0]}, got ${loaded} loaded before, and a process keeps the first; ask for '${name}' in a new process`,
  );
}
