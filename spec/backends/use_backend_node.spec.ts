import { execFileSync } from 'node:child_process';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { BACKENDS, type BackendName } from '../../src/backends/backend_table_node';
import { missingPackages, useBackend } from '../../src/backends/use_backend_node';
import { findAdapter, type GpuAdapter, isSoftware } from '../../src/backends/webgpu_device';
import { IlrecError } from '../../src/errors';
import '../support/backends';

async function messageOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(() => undefined, (reason: unknown) => reason);
  expect(error).to.be.instanceOf(IlrecError);
  return (error as IlrecError).message;
}

/** Loads a backend in a process of its own: once there, TensorFlow stays every later spec's first choice. @param before run first. */
function useBackendElsewhere(backend: string, before = ''): string[] {
  const program = `(async () => {
    const tf = await import('@tensorflow/tfjs-core');
    ${before}
    const { useBackend } = await import('./src/backends/use_backend_node');
    const name = await useBackend('${backend}', { onSkip: (reason) => console.log('passed over: ' + reason) });
    console.log([name, tf.getBackend(), (await tf.matMul([[1, 2]], [[3], [4]]).data())[0]].join(' '));
  })();`;
  const output = execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  return output.trim().split('\n');
}

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
    if (missingPackages('node').length > 0) this.skip(); // @tensorflow/tfjs-node is not installed
    this.timeout(60_000);
    expect(useBackendElsewhere('node')).to.deep.equal(['node tensorflow 11']);
    if (missingPackages('node-gpu').length === 0 || hasGpu) this.skip(); // something better may be here
    expect(useBackendElsewhere('auto').at(-1)).to.equal('node tensorflow 11');
  });

  it('sets WebGPU on Dawn, and the process ends by itself', function () {
    if (adapter === null) this.skip(); // the package webgpu finds no adapter
    this.timeout(60_000);
    expect(useBackendElsewhere('webgpu')).to.deep.equal(['webgpu webgpu 11']);
  });

  it('says that the backend package was imported too early, before Dawn', function () {
    if (adapter === null) this.skip(); // the package webgpu finds no adapter
    this.timeout(60_000);
    const caught = "process.on('unhandledRejection', (error) => { console.log(error.message); process.exit(); }); await import('@tensorflow/tfjs-backend-webgpu');";
    expect(useBackendElsewhere('webgpu', caught)).to.deep.equal([
      "useBackend: backend 'webgpu' must be loaded with Dawn in place, got @tensorflow/tfjs-backend-webgpu imported before; leave that import out, useBackend makes it",
    ]);
  });

  it('passes over a software adapter by itself, and says why', function () {
    if (adapter === null || hasGpu) this.skip(); // no software adapter here
    this.timeout(60_000);
    const [reason, used] = useBackendElsewhere('auto');
    expect(reason).to.match(/^passed over: useBackend: backend 'webgpu' must have a GPU, got the software adapter .+, which is slower than wasm; install the GPU's driver, or ask for 'webgpu' by name$/);
    expect(used).to.match(/^(node|wasm) /);
  });

  it('takes wasm by itself where TensorFlow is not installed', async function () {
    if (missingPackages('node').length + missingPackages('node-gpu').length < 2) this.skip(); // a tfjs-node package is installed
    expect(await useBackend()).to.equal('wasm');
  });

  for (const backend of Object.keys(BACKENDS) as BackendName[]) {
    it(`names the npm command where ${backend} is absent`, async function () {
      const missing = missingPackages(backend);
      if (missing.length === 0) this.skip(); // installed here
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
