import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { isSoftware, type GpuAdapter } from '../../src/backends/webgpu_device';
import { skipBecause } from '../support/skip';

/** Loses its device: a program of its own. */
const PROGRAM = `(async () => {
  const { installDawn } = await import('./src/backends/node_runtime_node');
  await installDawn();
  const adapter = await globalThis.navigator?.gpu?.requestAdapter();
  if (adapter == null) return console.log('null');
  const tf = await import('@tensorflow/tfjs-core');
  await import('@tensorflow/tfjs-backend-webgpu');
  const { registerWebGpu } = await import('./src/backends/webgpu_device');
  await registerWebGpu();
  await registerWebGpu(); // once is enough
  const set = await tf.setBackend('webgpu');
  const { device } = tf.backend();
  const missing = [];
  for (const name in adapter.limits) if (device.limits[name] !== adapter.limits[name]) missing.push(name);
  for (const name of ['subgroups', 'shader-f16', 'timestamp-query']) if (adapter.features.has(name) && !device.features.has(name)) missing.push(name);
  const sum = tf.sum(tf.range(0, 5000));
  const before = (await tf.square(sum).data())[0];
  let atOnce = '';
  try { sum.dataSync(); } catch (error) { atOnce = error.message; }
  device.destroy();
  const after = await sum.data().then(String, (error) => error.message);
  await registerWebGpu();
  const again = await tf.setBackend('webgpu');
  const others = [tf.backend().device !== device, (await tf.square(tf.range(0, 100)).data())[99], await sum.data().then(String, (error) => error.message)];
  sum.dispose();
  console.log(JSON.stringify({ set, missing, before, atOnce, after, again, others }));
  process.exit(0);
})();`;

describe('registerWebGpu in Node', () => {
  it('starts tfjs on a device with all that the adapter has, and says what a lost one means', async function () {
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--import',
      'tsx',
      '--input-type=module',
      '-e',
      PROGRAM,
    ]);
    const found = JSON.parse(stdout) as {
      set: boolean;
      missing: string[];
      before: number;
      atOnce: string;
      after: string;
      again: boolean;
      others: unknown[];
    } | null;
    if (found === null) skipBecause(this, 'the package webgpu finds no adapter');
    expect([found.set, found.missing, found.before]).to.deep.equal([true, [], Math.fround(12_497_500 ** 2)]);
    expect(found.atOnce).to.equal(
      'webgpu: a tensor on the device must be read with await data() here, got dataSync(), which needs a canvas',
    );
    expect(found.after).to.match(
      /^webgpu: the device was lost \(destroyed: .+\) with every tensor on it; call useBackend\('webgpu'\) to start another, make the model again and resume training from the last checkpoint$/,
    );
    // what the lost device held stays lost
    expect([found.again, ...found.others]).to.deep.equal([true, true, 99 ** 2, found.after]);
  });
});

describe('isSoftware', () => {
  const adapter = (info: Partial<NonNullable<GpuAdapter['info']>>, rest: Partial<GpuAdapter> = {}): GpuAdapter =>
    ({ info: { vendor: '', architecture: '', ...info }, ...rest }) as GpuAdapter;

  it('goes by what the adapter says, and by the names of drivers', () => {
    expect(isSoftware(adapter({ isFallbackAdapter: true }))).to.equal(true);
    expect(isSoftware(adapter({}, { isFallbackAdapter: true }))).to.equal(true);
    expect(isSoftware(adapter({ architecture: 'swiftshader' }))).to.equal(true);
    expect(isSoftware(adapter({ description: 'llvmpipe (LLVM 15.0.6, 256 bits)' }))).to.equal(true);
    expect(isSoftware(adapter({ vendor: 'nvidia', architecture: 'hopper', isFallbackAdapter: false }))).to.equal(false);
    expect(isSoftware({ features: new Set(), limits: {} } as unknown as GpuAdapter)).to.equal(false);
  });
});
