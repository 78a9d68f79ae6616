import * as tf from '@tensorflow/tfjs-core';
import '../register'; // in a bundle nothing else does
import { IlrecError } from '../errors';
import { changeBackend, setBackend } from './set_backend';
import { findAdapter, isSoftware, registerWebGpu } from './webgpu_device';

/** A backend that trains in a browser. */
export type BrowserBackendName = 'webgpu' | 'wasm' | 'cpu';

export interface UseBackendOptions {
  /** Told, with `auto`, why a backend whose package is loaded was passed over; by default nobody is. */
  readonly onSkip?: (reason: string) => void;
}

/** What to do when a backend's package is loaded and does not start, fastest backend first. */
const REPAIRS: Readonly<Record<BrowserBackendName, string>> = {
  webgpu: 'turn on hardware acceleration in the browser, or update the driver',
  wasm: "serve the .wasm files of the package's dist folder beside the script, or name their folder with setWasmPaths",
  cpu: 'load the package again',
};
const NAMES = Object.keys(REPAIRS) as BrowserBackendName[];

/**
 * Sets a backend whose package the page or worker has loaded, and waits until it is ready. Calls run one after the other; one that throws leaves the backend
 * that was set.
 *
 * @param backend `auto` takes the first of webgpu, wasm and cpu that is loaded and starts; webgpu on a software adapter only where nothing else is.
 * @returns the backend now in use.
 * @throws IlrecError with the import or the script tag when its package is not loaded, or with the repair when it does not start.
 */
export async function useBackend(
  backend: BrowserBackendName | 'auto' = 'auto',
  { onSkip }: UseBackendOptions = {},
): Promise<BrowserBackendName> {
  return await changeBackend(() => (backend === 'auto' ? startFastest(onSkip) : start(backend)));
}

async function startFastest(onSkip: UseBackendOptions['onSkip']): Promise<BrowserBackendName> {
  let hasSoftware = false;
  for (const name of NAMES.filter(isLoaded)) {
    try {
      if (name === 'webgpu' && (await onSoftware())) {
        hasSoftware = true;
        throw new IlrecError(
          "useBackend: backend 'webgpu' must have a GPU, got a software adapter, which is slower than wasm; turn on hardware acceleration in the browser, or ask for 'webgpu' by name",
        );
      }
      return await start(name);
    } catch (error) {
      if (!(error instanceof IlrecError)) throw error;
      onSkip?.(error.message);
    }
  }
  if (hasSoftware) return await start('webgpu');
  throw new IlrecError(
    `useBackend: 'auto' needs a backend's package on the page, got none that works; add ${additionOf('wasm')}`,
  );
}

/** Whether the package has registered its kernels; the backend itself is registered only where the browser has what it needs. */
function isLoaded(name: BrowserBackendName): boolean {
  return tf.getKernel('Identity', name) !== undefined;
}

async function onSoftware(): Promise<boolean> {
  const adapter = tf.findBackendFactory('webgpu') == null ? null : await findAdapter();
  return adapter !== null && isSoftware(adapter);
}

async function start(name: BrowserBackendName): Promise<BrowserBackendName> {
  if ((name as string) === 'webgl')
    throw new IlrecError(
      "useBackend: backend must not be 'webgl', got it: its weights drift in training; use 'webgpu' or 'wasm'",
    );
  if (!NAMES.includes(name))
    throw new IlrecError(`useBackend: backend must be one of auto, ${NAMES.join(', ')}, got '${String(name)}'`);
  if (!isLoaded(name))
    throw new IlrecError(
      `useBackend: backend '${name}' needs @tensorflow/tfjs-backend-${name}, got no such package on this page; add ${additionOf(name)}`,
    );
  if (tf.findBackendFactory(name) == null) {
    throw new IlrecError(
      `useBackend: backend '${name}' needs ${name === 'webgpu' ? 'navigator.gpu' : 'its registration'} when its package is loaded, got none; open the page over https or localhost, in a browser that has it`,
    );
  }
  if (name === 'webgpu') await registerWebGpu();
  const failure = await setBackend(name);
  if (failure !== null)
    throw new IlrecError(`useBackend: backend '${name}' must start, got "${failure}"; ${REPAIRS[name]}`);
  return name;
}

/** What adds a package. */
function additionOf(name: BrowserBackendName): string {
  const found = `@tensorflow/tfjs-backend-${name}`;
  return `import '${found}', or <script src="https://cdn.jsdelivr.net/npm/${found}/dist/tf-backend-${name}.min.js"></script>`; // the whole path: wasm looks for its binary beside it
}
