import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { BACKENDS, type BackendName } from '../../src/backends/backend_table_node';
import { missingPackages, useBackend } from '../../src/backends/use_backend_node';
import { findAdapter, type GpuAdapter, isSoftware } from '../../src/backends/webgpu_device';
import { IlrecError } from '../../src/errors';
import '../support/backends';
import { temporaryFolder } from '../support/folders';
import { skipBecause } from '../support/skip';

async function messageOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).to.be.instanceOf(IlrecError);
  return (error as IlrecError).message;
}

/**
 * Runs a program in a process of its own, with `tf`, `useBackend` and `ask`, which prints the backend or what the error
 * says; gives the lines it prints.
 * @param before runs before they are imported.
 */
function elsewhere(
  program: string,
  { before = '', environment = {} }: { before?: string; environment?: Record<string, string> } = {},
): string[] {
  const whole = `(async () => {
    const tf = await import('@tensorflow/tfjs-core');
    ${before}
    const { useBackend } = await import('./src/backends/use_backend_node');
    const ask = async (name) => console.log(await useBackend(name, { onSkip: (reason) => console.log('passed over: ' + reason) }).catch((error) => error.message));
    const multiply = async () => (await tf.matMul([[1, 2]], [[3], [4]]).data())[0];
    ${program}
  })();`;
  const output = execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', whole], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...environment },
  });
  return output.trim().split('\n');
}

/** Loads a backend in a process of its own: once there, TensorFlow stays every later spec's first choice. */
function useBackendElsewhere(backend: string, before = ''): string[] {
  return elsewhere(`await ask('${backend}'); console.log(tf.getBackend(), await multiply());`, { before });
}

/** Gives the process a `navigator.gpu` of its user's own, without Dawn. @param adapter source text. */
const ownGpu = (adapter: string): string => `
  globalThis.gpu = { requestAdapter: async () => (${adapter}) };
  if (globalThis.navigator === undefined) Object.defineProperty(globalThis, 'navigator', { value: {} });
  Object.defineProperty(globalThis.navigator, 'gpu', { value: gpu, configurable: true });`;

describe('useBackend', () => {
  let adapter: GpuAdapter | null;
  let hasGpu: boolean;

  before(async () => {
    adapter = await findAdapter(); // of Dawn, which spec/support has opened
    hasGpu = adapter !== null && !isSoftware(adapter);
  });

  for (const backend of ['cpu', 'wasm'] as const) {
    it(`sets ${backend} and names it`, async () => {
      expect(await useBackend(backend)).to.equal(backend);
      expect(tf.getBackend()).to.equal(backend);
      expect((await tf.matMul([[1, 2]], [[3], [4]]).data())[0]).to.equal(11);
    });
  }

  it('sets TensorFlow where tfjs-node is installed, also as the automatic choice', function () {
    if (missingPackages('node').length > 0) skipBecause(this, '@tensorflow/tfjs-node is not installed');
    expect(useBackendElsewhere('node')).to.deep.equal(['node', 'tensorflow 11']);
    if (missingPackages('node-gpu').length === 0 || hasGpu)
      skipBecause(this, 'a GPU may be here, which is chosen before tfjs-node');
    expect(useBackendElsewhere('auto').at(-1)).to.equal('tensorflow 11');
  });

  it('sets WebGPU on Dawn, and the process ends by itself', function () {
    if (adapter === null) skipBecause(this, 'the package webgpu finds no adapter');
    expect(useBackendElsewhere('webgpu')).to.deep.equal(['webgpu', 'webgpu 11']);
  });

  it('says that the backend package was imported too early, before Dawn', function () {
    if (adapter === null) skipBecause(this, 'the package webgpu finds no adapter');
    expect(
      elsewhere("await ask('webgpu');", { before: "await import('@tensorflow/tfjs-backend-webgpu');" }),
    ).to.deep.equal([
      "useBackend: backend 'webgpu' needs Dawn before its package is imported, got @tensorflow/tfjs-backend-webgpu imported already; remove that import, as useBackend makes it",
    ]);
  });

  it('passes over a software adapter by itself, and says why', function () {
    if (adapter === null || hasGpu) skipBecause(this, 'the package webgpu finds no software adapter');
    const [reason, used] = useBackendElsewhere('auto');
    expect(reason).to.match(
      /^passed over: useBackend: backend 'webgpu' must have a GPU, got the software adapter .+, which is slower than wasm; install the GPU's driver, or ask for 'webgpu' by name$/,
    );
    expect(used).to.match(/^(node|wasm)$/);
  });

  it('makes one change after the other, where several are asked for at once', () => {
    expect(
      elsewhere(
        "await Promise.all(['wasm', 'wasm', 'cpu', 'wasm'].map(ask)); console.log(tf.getBackend(), await multiply());",
      ),
    ).to.deep.equal(['wasm', 'wasm', 'cpu', 'wasm', 'wasm 11']);
  });

  it('leaves the backend that was set where another does not start', function () {
    if (missingPackages('webgpu').length > 0)
      skipBecause(this, 'webgpu or @tensorflow/tfjs-backend-webgpu is not installed');
    const before = ownGpu(
      "{ features: new Set(), limits: {}, requestDevice: async () => { throw new Error('no memory'); } }",
    );
    const lines = elsewhere(
      "await ask('cpu'); await ask('webgpu'); console.log(tf.getBackend(), await multiply(), navigator.gpu === gpu);",
      { before },
    );
    expect(lines).to.deep.equal([
      'cpu',
      `useBackend: backend 'webgpu' must start, got "no memory"; ${BACKENDS.webgpu.repair}`,
      'cpu 11 true',
    ]);
  });

  it('leaves a navigator.gpu that is not its own, also where its adapter is not wanted', function () {
    if (missingPackages('webgpu').length > 0)
      skipBecause(this, 'webgpu or @tensorflow/tfjs-backend-webgpu is not installed');
    const before = ownGpu("{ features: new Set(), limits: {}, info: { vendor: 'own', architecture: 'swiftshader' } }");
    const lines = elsewhere("await ask('auto'); console.log(navigator.gpu === gpu);", { before });
    expect(lines[0]).to.include('got the software adapter own swiftshader, which is slower than wasm');
    expect(lines.at(-1)).to.equal('true');
  });

  it('takes Dawn away again where it has no adapter', function () {
    if (missingPackages('webgpu').length > 0 || process.platform !== 'linux')
      skipBecause(this, 'webgpu is not installed, or its driver cannot be hidden here');
    const noDriver = { VK_ICD_FILENAMES: '/nowhere.json', VK_DRIVER_FILES: '/nowhere.json' };
    const lines = elsewhere("await ask('webgpu'); console.log('gpu' in (globalThis.navigator ?? {}));", {
      environment: noDriver,
    });
    expect(lines).to.deep.equal([
      `useBackend: backend 'webgpu' must load, got "no adapter"; ${BACKENDS.webgpu.repair}`,
      'false',
    ]);
  });

  describe('where both packages of TensorFlow are installed', () => {
    const folder = temporaryFolder();
    const asking = (names: string, usesGpu: boolean): string[] =>
      elsewhere(
        `globalThis.fake = { tf, usesGpu: ${usesGpu} }; process.chdir(${JSON.stringify(folder.path)}); for (const name of [${names}]) await ask(name); console.log(tf.getBackend());`,
      );

    beforeEach(async function () {
      if (missingPackages('node-gpu').length === 0) skipBecause(this, '@tensorflow/tfjs-node-gpu is installed');
      for (const name of ['tfjs-node', 'tfjs-node-gpu']) {
        const root = join(folder.path, 'node_modules/@tensorflow', name);
        const isGpu = name === 'tfjs-node-gpu';
        await mkdir(root, { recursive: true });
        await writeFile(
          join(root, 'package.json'),
          JSON.stringify({ name: `@tensorflow/${name}`, version: '4.22.0', main: 'index.js' }),
        );
        await writeFile(
          join(root, 'index.js'),
          `const { tf, usesGpu } = globalThis.fake; tf.registerBackend('tensorflow', () => Object.assign(new tf.KernelBackend(), { isGPUPackage: ${isGpu}, isUsingGpuDevice: ${isGpu} && usesGpu }), 3);`,
        );
      }
    });

    it('says that the other one was loaded before, and leaves it set', () => {
      expect(asking("'node', 'node-gpu'", true)).to.deep.equal([
        'node',
        "useBackend: backend 'node-gpu' needs @tensorflow/tfjs-node-gpu, got @tensorflow/tfjs-node loaded before, and a process keeps the first; ask for 'node-gpu' in a new process",
        'tensorflow',
      ]);
      expect(asking("'node-gpu', 'node'", true)).to.deep.equal([
        'node-gpu',
        "useBackend: backend 'node' needs @tensorflow/tfjs-node, got @tensorflow/tfjs-node-gpu loaded before, and a process keeps the first; ask for 'node' in a new process",
        'tensorflow',
      ]);
    });

    it('takes tfjs-node-gpu for tfjs-node where it finds no GPU, and leaves the backend before it', () => {
      const refusal =
        "useBackend: backend 'node-gpu' needs a GPU, got none that TensorFlow sees; check nvidia-smi and the CUDA libraries, or use 'node'";
      expect(asking("'wasm', 'node-gpu'", false)).to.deep.equal(['wasm', refusal, 'wasm']);
      expect(asking("'node-gpu', 'node'", false)).to.deep.equal([refusal, 'node', 'tensorflow']);
    });
  });

  it('takes wasm by itself where TensorFlow is not installed', async function () {
    if (missingPackages('node').length + missingPackages('node-gpu').length < 2)
      skipBecause(this, 'a package of tfjs-node is installed');
    expect(await useBackend()).to.equal('wasm');
  });

  for (const backend of Object.keys(BACKENDS) as BackendName[]) {
    it(`names the npm command where ${backend} is absent`, async function () {
      const missing = missingPackages(backend);
      if (missing.length === 0) skipBecause(this, 'the packages of this backend are installed');
      expect(await messageOf(useBackend(backend))).to.equal(
        `useBackend: backend '${backend}' needs ${missing.join(' and ')}, got no such package here; run "${BACKENDS[backend].install}"`,
      );
    });
  }

  it('refuses a name it does not know', async () => {
    expect(await messageOf(useBackend('cuda' as BackendName))).to.equal(
      "useBackend: backend must be one of auto, node-gpu, webgpu, node, wasm, cpu, got 'cuda'",
    );
  });
});
