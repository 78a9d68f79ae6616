/** A backend in Node. `node` and `node-gpu` are TensorFlow itself; `webgpu` runs on Dawn. */
export type BackendName = 'node-gpu' | 'webgpu' | 'node' | 'wasm' | 'cpu';

export interface BackendEntry {
  /** Its name in tfjs. */
  readonly tfjsName: string;
  /** The packages that it needs. */
  readonly packages: readonly string[];
  /** The command that installs them. */
  readonly install: string;
  /** What to do if they are installed and do not work. */
  readonly repair: string;
}

/** Fastest first. */
export const BACKENDS: Readonly<Record<BackendName, BackendEntry>> = {
  'node-gpu': {
    tfjsName: 'tensorflow',
    packages: ['@tensorflow/tfjs-node-gpu'],
    install: 'npm install @tensorflow/tfjs-node-gpu',
    repair: 'run "npm rebuild @tensorflow/tfjs-node-gpu", which downloads or builds its native library',
  },
  webgpu: {
    tfjsName: 'webgpu',
    packages: ['webgpu', '@tensorflow/tfjs-backend-webgpu'],
    install: 'npm install webgpu @tensorflow/tfjs-backend-webgpu',
    repair:
      "install a Vulkan, Metal or Direct3D 12 driver (on Debian: libvulkan1 and the GPU's own, or mesa-vulkan-drivers)",
  },
  node: {
    tfjsName: 'tensorflow',
    packages: ['@tensorflow/tfjs-node'],
    install: 'npm install @tensorflow/tfjs-node',
    repair: 'run "npm rebuild @tensorflow/tfjs-node", which downloads or builds its native library',
  },
  wasm: {
    tfjsName: 'wasm',
    packages: ['@tensorflow/tfjs-backend-wasm'],
    install: 'npm install @tensorflow/tfjs-backend-wasm',
    repair: 'run "npm install @tensorflow/tfjs-backend-wasm" again',
  },
  cpu: {
    tfjsName: 'cpu',
    packages: ['@tensorflow/tfjs-backend-cpu'],
    install: 'npm install @tensorflow/tfjs-backend-cpu',
    repair: 'run "npm install @tensorflow/tfjs-backend-cpu" again',
  },
};

/** What `auto` tries, fastest first. It takes webgpu only on a real GPU: a software adapter is slower than wasm. */
export const AUTO_ORDER = Object.keys(BACKENDS) as BackendName[];
