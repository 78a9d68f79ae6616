import * as tf from '@tensorflow/tfjs-core';
import { IlrecError } from '../errors';
import { AUTO_ORDER, BACKENDS, type BackendName } from './backend_table_node';
import { installDawn, locateWasm, removeDawn, restoreOldUtil } from './node_runtime_node';
import { findPackage, importPackage, type OptionalPackage } from './optional_package_node';
import { findAdapter, isSoftware, nameOf, registerWebGpu } from './webgpu_device';

export interface UseBackendOptions {
  /** Told, with `auto`, why a backend that is installed was passed over; by default nobody is. */
  readonly onSkip?: (reason: string) => void;
}

/**
 * Imports a backend's package, sets it as tfjs's backend and waits until it is ready.
 *
 * @param backend `auto` takes the first of node-gpu, webgpu on a real GPU, node, wasm and cpu that is installed and works; webgpu on a software adapter only
 *   when asked for by name.
 * @returns the backend now in use.
 * @throws IlrecError with the npm command when its package is not installed, or with the repair when it does not work.
 */
export async function useBackend(backend: BackendName | 'auto' = 'auto', { onSkip }: UseBackendOptions = {}): Promise<BackendName> {
  if (backend !== 'auto') return start(backend);
  for (const name of AUTO_ORDER) {
    if (missingPackages(name).length > 0) continue;
    try {
      if (name === 'webgpu') await refuseSoftware();
      return await start(name);
    } catch (error) {
      if (!(error instanceof IlrecError)) throw error;
      onSkip?.(error.message);
    }
  }
  throw new IlrecError(`useBackend: 'auto' needs a backend's package, got none that works; run "${BACKENDS.wasm.install}"`);
}

/** The packages of a backend that are not installed. */
export function missingPackages(backend: BackendName): string[] {
  return BACKENDS[backend].packages.filter((name) => findPackage(name) === undefined);
}

/** @throws IlrecError where WebGPU would run on the CPU. */
async function refuseSoftware(): Promise<void> {
  await installDawn();
  const adapter = await findAdapter();
  if (adapter === null || !isSoftware(adapter)) return;
  removeDawn();
  throw new IlrecError(`useBackend: backend 'webgpu' must have a GPU, got the software adapter ${nameOf(adapter)}, which is slower than wasm; install the GPU's driver, or ask for 'webgpu' by name`);
}

async function start(name: BackendName): Promise<BackendName> {
  const entry = BACKENDS[name] as (typeof BACKENDS)[BackendName] | undefined;
  if (entry === undefined) throw new IlrecError(`useBackend: backend must be one of auto, ${Object.keys(BACKENDS).join(', ')}, got '${String(name)}'`);
  const missing = missingPackages(name);
  if (missing.length > 0) {
    throw new IlrecError(`useBackend: backend '${name}' needs ${missing.join(' and ')}, got no such package here; run "${entry.install}"`);
  }
  let isSet: boolean;
  try {
    await load(name);
    // eslint-disable-next-line no-restricted-syntax -- the one place where a user asks for it
    isSet = await tf.setBackend(entry.tfjsName);
  } catch (error) {
    if (error instanceof IlrecError) throw error;
    const [reason] = String(error instanceof Error ? error.message : error).split('\n');
    throw new IlrecError(`useBackend: backend '${name}' must load, got "${reason}"; ${entry.repair}`, { cause: error });
  }
  if (!isSet) throw new IlrecError(`useBackend: backend '${name}' must start, got a refusal from tfjs; ${entry.repair}`);
  await tf.ready();
  if (name === 'node-gpu' && !(tf.backend() as { isUsingGpuDevice?: boolean }).isUsingGpuDevice) {
    throw new IlrecError("useBackend: backend 'node-gpu' needs a GPU, got none that TensorFlow sees; check nvidia-smi and the CUDA libraries, or use 'node'");
  }
  return name;
}

async function load(name: BackendName): Promise<void> {
  if (BACKENDS[name].tfjsName === 'tensorflow') {
    if (tf.engine().backendNames().includes('tensorflow')) return; // both packages register this one name
    restoreOldUtil();
    process.env.TF_CPP_MIN_LOG_LEVEL ??= '2'; // read by TensorFlow when it loads: warnings and errors only
  }
  if (name === 'webgpu') {
    await installDawn();
    if ((await findAdapter()) === null) throw new Error('no adapter');
  }
  for (const found of BACKENDS[name].packages.map(findPackage)) await importPackage(found as OptionalPackage);
  if (name === 'wasm') await locateWasm();
  if (name !== 'webgpu') return;
  if (tf.findBackendFactory('webgpu') == null) {
    throw new IlrecError("useBackend: backend 'webgpu' must be loaded with Dawn in place, got @tensorflow/tfjs-backend-webgpu imported before; leave that import out, useBackend makes it");
  }
  await registerWebGpu();
}
