import { execFileSync } from 'node:child_process';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { registerKernels, unregisterKernels } from '../../src/kernels/register_kernels';
import { wasmFused } from '../../src/kernels/wasm/fused';
import '../support/backends';
import { floats } from './against_cpu';

const prelude = `
  import * as tf from '@tensorflow/tfjs-core';
  import '@tensorflow/tfjs-layers';
  import { dirname } from 'node:path';
  import { createRequire } from 'node:module';
  const folder = dirname(createRequire(process.cwd() + '/x').resolve('@tensorflow/tfjs-backend-wasm/package.json')) + '/dist/';
  const ours = () => import('./src/kernels/register_kernels').then((module) => module.registerKernels());
  const wasm = () => import('@tensorflow/tfjs-backend-wasm').then((module) => module.setWasmPaths(folder));
  const cpu = () => import('@tensorflow/tfjs-backend-cpu');
  const gradient = () => Array.from(tf.grad((x) => tf.gather(x, tf.tensor1d([1, 1, 0], 'int32')))(tf.zeros([3])).dataSync()).join();
  const report = async (name) => { await tf.setBackend(name); console.log(name, gradient(), tf.cumsum([1, 2], -1).dataSync().join()); };
`;

/** Runs a program in a process of its own, as the order of imports needs one; stderr counts as output. */
function runProgram(program: string): string[] {
  const code = `${prelude} (async () => { ${program} })();`;
  const output = execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', `${code}`], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return output.split('\n').filter((line) => line !== '' && !/^=+$|^Hi, looks like you are running/.test(line));
}

describe('registerKernels', () => {
  const reports = ['cpu 1,2,0 1,3', 'wasm 1,2,0 1,3'];

  it('may be called while a backend starts', () => {
    expect(
      runProgram(`await wasm(); const { registerKernels } = await import('./src/kernels/register_kernels');
      const started = tf.setBackend('wasm'); registerKernels(); await started; await report('wasm');`),
    ).to.deep.equal(reports.slice(1));
  });

  it('works when the backends are imported after it, and no kernel is registered twice', () => {
    const program = `console.warn = (...words) => words.join().includes('registered') && console.log('warning', ...words);
      await ours(); await cpu(); await wasm(); await report('cpu'); await report('wasm');`;
    expect(runProgram(program)).to.deep.equal(reports);
  });

  it('works when a backend is imported and set before it', () => {
    const program = `await wasm(); await cpu(); await tf.setBackend('wasm'); tf.ones([1]).dataSync();
      await ours(); console.log('wasm', gradient(), tf.cumsum([1, 2], -1).dataSync().join());`;
    expect(runProgram(program)).to.deep.equal([reports[1]]);
  });

  it('does nothing where no backend is ever imported', () => {
    const program = `await ours(); console.log(tf.getKernelsForBackend('wasm').map((kernel) => kernel.kernelName).join());`;
    expect(runProgram(program)).to.deep.equal(['ILRecKernels']);
  });

  it('changes nothing when called again', async () => {
    await tf.setBackend('wasm'); // where the fused kernels come
    const functions = (): tf.KernelFunc[] => tf.getKernelsForBackend('wasm').map(({ kernelFunc }) => kernelFunc);
    const before = functions();
    registerKernels();
    await tf.setBackend('cpu');
    await tf.setBackend('wasm');
    expect(functions()).to.have.members(before);
  });

  it('puts its kernel back when the backend is set after a later registration', async () => {
    const ours = tf.getKernel('Tile', 'wasm');
    tf.unregisterKernel('Tile', 'wasm');
    tf.registerKernel({ ...ours, kernelFunc: (call) => ours.kernelFunc(call) });
    await tf.setBackend('wasm');
    expect(tf.getKernel('Tile', 'wasm').kernelFunc).not.to.equal(ours.kernelFunc);
    expect(tf.tile([1, 2], [2]).arraySync()).to.deep.equal([1, 2, 1, 2]);
    tf.unregisterKernel('Tile', 'wasm');
    tf.registerKernel(ours);
  });
});

describe('unregisterKernels', () => {
  const replaced = [
    'Identity',
    'BatchMatMul',
    'GatherV2',
    'Tile',
    'Cumsum',
    'Equal',
    'Exp',
    'Sqrt',
    'Add',
    'RealDiv',
    'Sum',
    'Max',
    'Softmax',
    'SplitV',
    'Concat',
    'Transpose',
  ];
  const functionsOf = (names: string[]): tf.KernelFunc[] => names.map((name) => tf.getKernel(name, 'wasm').kernelFunc);
  const ownNames = (): string[] =>
    tf
      .getKernelsForBackend('wasm')
      .map(({ kernelName }) => kernelName)
      .filter((name) => name.startsWith('ILRec') && name !== 'ILRecKernels');

  before(async () => {
    await tf.setBackend('wasm');
  });
  afterEach(() => registerKernels());

  /** A bit of everything, forward and back. */
  function compute(): number[] {
    return tf.tidy(() => {
      const loss = (x: tf.Tensor, w: tf.Tensor): tf.Tensor => {
        const rows = tf.gather(x, tf.tensor1d([0, 2, 2, 4], 'int32')); // [4, 3]
        const y = tf.softmax(tf.add(tf.matMul(rows, w), tf.mean(rows, 1, true))); // [4, 7]
        return tf.sum(tf.mul(tf.concat(tf.split(y, [2, 5], 1).reverse(), 1), floats([4, 7], 3)));
      };
      return tf
        .grads(loss)([floats([5, 3], 1), floats([3, 7], 2)])
        .flatMap((gradient) => [...gradient.dataSync()]);
    });
  }

  it("gives tfjs's very functions back", () => {
    const program = `await wasm(); await cpu(); await tf.setBackend('wasm');
      const module = await import('./src/kernels/register_kernels');
      const all = () => ['cpu', 'wasm'].flatMap((name) => tf.getKernelsForBackend(name));
      const before = new Map(all().map(({ backendName, kernelName, kernelFunc }) => [backendName + kernelName, kernelFunc]));
      module.registerKernels(); module.unregisterKernels();
      console.log(all().filter(({ backendName, kernelName, kernelFunc }) => before.get(backendName + kernelName) !== kernelFunc).map(({ kernelName }) => kernelName).sort().join());
      console.log(before.size - all().length, gradient());`;
    // the hook on both backends and the kernel that wasm lacks are all that stays
    expect(runProgram(program)).to.deep.equal(['ILRecKernels,ILRecKernels,UnsortedSegmentSum', '-3 1,2,0']);
  });

  it('takes the fused kernels away and leaves the sum of segments, also when the backend is set again', async () => {
    const ours = functionsOf(replaced);
    expect(ownNames()).to.have.length(wasmFused.length);
    unregisterKernels();
    for (const again of [false, true]) {
      if (again) await tf.setBackend('cpu').then(() => tf.setBackend('wasm'));
      functionsOf(replaced).forEach((kernelFunc, i) => expect(kernelFunc, replaced[i]).not.to.equal(ours[i]));
      expect(ownNames()).to.deep.equal([]);
      expect(tf.getKernel('UnsortedSegmentSum', 'wasm')).not.to.equal(undefined);
    }
  });

  it('changes no result beyond rounding, and registerKernels puts ours back', () => {
    const results = [compute()];
    unregisterKernels();
    const stock = functionsOf(replaced);
    results.push(compute());
    registerKernels();
    results.push(compute());
    functionsOf(replaced).forEach((kernelFunc, i) => expect(kernelFunc, replaced[i]).not.to.equal(stock[i]));
    expect(ownNames()).to.have.length(wasmFused.length);
    expect(results[2]).to.deep.equal(results[0]);
    results[1].forEach((value, i) => expect(value).to.be.closeTo(results[0][i], 1e-6));
  });

  it('may be called before tensors of ours are gone, and twice, and leaves nothing behind', () => {
    const before = {
      tensors: tf.memory().numTensors,
      buffers: tf.memory().numDataBuffers,
      ids: tf.backend().numDataIds(),
    };
    const x = floats([5, 7], 1);
    const shared = tf.clone(x); // shares its memory with x, as tfjs's clone would not
    unregisterKernels();
    unregisterKernels();
    x.dispose();
    compute();
    expect([...shared.dataSync()]).to.deep.equal([...tf.tidy(() => floats([5, 7], 1).dataSync())]);
    const copied = tf.clone(shared);
    registerKernels();
    registerKernels();
    compute();
    tf.dispose([shared, copied]);
    expect({
      tensors: tf.memory().numTensors,
      buffers: tf.memory().numDataBuffers,
      ids: tf.backend().numDataIds(),
    }).to.deep.equal(before);
  });

  it('works while another backend is set', async () => {
    await tf.setBackend('cpu');
    unregisterKernels();
    registerKernels();
    expect(ownNames()).to.have.length(wasmFused.length); // wasm has been started before
    await tf.setBackend('wasm');
    expect(ownNames()).to.have.length(wasmFused.length);
  });
});
