import { execFileSync } from 'node:child_process';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { registerKernels } from '../../src/kernels/register_kernels';
import '../support/backends';

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
  const output = execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', `${code}`], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  return output.split('\n').filter((line) => line !== '' && !/^=+$|^Hi, looks like you are running/.test(line));
}

describe('registerKernels', () => {
  const reports = ['cpu 1,2,0 1,3', 'wasm 1,2,0 1,3'];

  it('works when the backends are imported after it, and no kernel is registered twice', function () {
    this.timeout(20_000);
    const program = `console.warn = (...words) => words.join().includes('registered') && console.log('warning', ...words);
      await ours(); await cpu(); await wasm(); await report('cpu'); await report('wasm');`;
    expect(runProgram(program)).to.deep.equal(reports);
  });

  it('works when a backend is imported and set before it', function () {
    this.timeout(20_000);
    const program = `await wasm(); await cpu(); await tf.setBackend('wasm'); tf.ones([1]).dataSync();
      await ours(); console.log('wasm', gradient(), tf.cumsum([1, 2], -1).dataSync().join());`;
    expect(runProgram(program)).to.deep.equal([reports[1]]);
  });

  it('does nothing where no backend is ever imported', function () {
    this.timeout(20_000);
    const program = `await ours(); console.log(tf.getKernelsForBackend('wasm').map((kernel) => kernel.kernelName).join());`;
    expect(runProgram(program)).to.deep.equal(['ILRecKernels']);
  });

  it('changes nothing when called again', async () => {
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
