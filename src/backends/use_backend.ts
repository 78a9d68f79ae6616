import * as tf from '@tensorflow/tfjs-core';
import '../register'; // in a bundle nothing else does
import { IlrecError } from '../errors';
import { changeBackend, setBackend } from './set_backend';
import { findAdapter, isSoftware, registerWebGpu } from './webgpu_device';

/** A backend that can train in a browser. */
export type BrowserBackendName = 'webgpu' | 'wasm' | 'cpu';

/** Options of `useBackend`. */
export interface UseBackendOptions {
  /** Called by `auto` with the reason for each loaded backend that it skips. Default none. */
  readonly onSkip?: (reason: string) => void;
}

/** What to do if a backend's package is loaded and does not start. Fastest backend first. */
const REPAIRS: Readonly<Record<BrowserBackendName, string>> = {
  webgpu: 'turn on hardware acceleration in the browser, or update the driver',
  wasm: "serve the .wasm files of the package's dist folder beside the script, or name their folder with setWasmPaths",
  cpu: 'load the package again',
};
const NAMES = Object.keys(REPAIRS) as BrowserBackendName[];

/**
 * Sets tfjs's backend and waits until it is ready. The page or worker must have loaded the backend's package.
 *
 * Calls run one after the other. A call that throws leaves the backend as it was.
 *
 * @param backend `'webgpu'`, `'wasm'`, `'cpu'`, or `'auto'` (default): the first of these that is loaded and starts.
 *   `'auto'` uses webgpu on a software adapter only if nothing else works.
 * @param options see `UseBackendOptions`.
 * @returns the backend that is now set.
 * @throws IlrecError if the name is not one of these, if the backend's package is not loaded (the message has the
 *   import and the script tag), or if it does not start (the message has the repair).
 * @example
 * ```ts
 * import { useBackend } from 'tfjs-ilrec';
 *
 * console.log(await useBackend('wasm')); // wasm
 * ```
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

/**
 * Whether the package has registered its kernels. It registers the backend itself only if the browser has what it
 * needs.
 */
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
      "useBackend: 'webgl' is not supported for training: its weights drift; use 'webgpu' or 'wasm'",
    );
  if (!NAMES.includes(name))
    throw new IlrecError(`useBackend: backend must be one of auto, ${NAMES.join(', ')}, got '${String(name)}'`);
  if (!isLoaded(name))
    throw new IlrecError(
      `useBackend: backend '${name}' needs @tensorflow/tfjs-backend-${name}, got no such package on this page; ` +
        `add ${additionOf(name)}`,
    );
  if (tf.findBackendFactory(name) == null) {
    throw new IlrecError(
      `useBackend: backend '${name}' needs ${name === 'webgpu' ? 'navigator.gpu' : 'its registration'} when its ` +
        'package is loaded, got none; open the page over https or localhost, in a browser that has it',
    );
  }
  if (name === 'webgpu') await registerWebGpu();
  const failure = await setBackend(name);
  if (failure !== null)
    throw new IlrecError(`useBackend: backend '${name}' must start, got "${failure}"; ${REPAIRS[name]}`);
  return name;
}

/** How to load a backend's package. */
function additionOf(name: BrowserBackendName): string {
  const found = `@tensorflow/tfjs-backend-${name}`;
  // the full path, as wasm looks for its binary beside it
  return `import '${found}', or <script src="https://cdn.jsdelivr.net/npm/${found}/dist/tf-backend-${name}.min.js"></script>`;
}
