import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { build } from 'esbuild';

/** A plain tfjs model, its weights after five steps, and whatever of this package's layers is registered. */
const TRAINING = `
  const { layers } = tfl;
  const seeded = (seed) => tfl.initializers.randomUniform({ minval: -0.3, maxval: 0.3, seed });
  const model = tfl.sequential({ layers: [
    layers.embedding({ inputDim: 53, outputDim: 12, embeddingsInitializer: seeded(1), inputLength: 7 }),
    layers.gru({ units: 17, kernelInitializer: seeded(2), recurrentInitializer: seeded(3) }),
    layers.dense({ units: 53, activation: 'softmax', kernelInitializer: seeded(4) }),
  ] });
  model.compile({ optimizer: tf.train.momentum(0.3, 0.9), loss: 'sparseCategoricalCrossentropy' });
  const xs = tf.tensor2d(Array.from({ length: 11 * 7 }, (_, i) => (i * i + 3) % 53), [11, 7]);
  const ys = tf.tensor1d(Array.from({ length: 11 }, (_, i) => (5 * i) % 53));
  const { history } = await model.fit(xs, ys, { epochs: 5, batchSize: 11, shuffle: false, verbose: 0 });
  console.log(JSON.stringify({
    losses: history.loss,
    weights: model.getWeights().flatMap((weight) => [...weight.dataSync()]),
    classes: Object.keys(tf.serialization.SerializationMap.getMap().classNameMap).filter((name) => name.startsWith('ILRec')),
    fused: tf.getKernel('ILRecSoftmaxGrad', tf.getBackend()) !== undefined,
    softmaxGradient: tf.getGradient('Softmax').gradFunc.toString().includes('ILRecSoftmaxGrad'),
  }));
`;

interface Trained {
  losses: number[];
  weights: number[];
  classes: string[];
  fused: boolean;
  softmaxGradient: boolean;
}

/** Trains in a process of its own. @param imports what it imports before tfjs-layers and the backend. */
function train(backend: 'cpu' | 'wasm', imports: string): Trained {
  const program = `(async () => {
    ${imports}
    const tf = await import('@tensorflow/tfjs-core');
    const tfl = await import('@tensorflow/tfjs-layers');
    const module = await import('@tensorflow/tfjs-backend-${backend}');
    const { createRequire } = await import('node:module');
    const { dirname } = await import('node:path');
    module.setWasmPaths?.(dirname(createRequire(process.cwd() + '/x').resolve('@tensorflow/tfjs-backend-wasm/package.json')) + '/dist/');
    await tf.setBackend('${backend}');
    ${TRAINING}
  })();`;
  const output = execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return JSON.parse(output.trim().split('\n').at(-1) as string) as Trained;
}

describe('tfjs-ilrec/kernels', () => {
  it('imports nothing but the kernels', async () => {
    const { metafile } = await build({
      entryPoints: ['src/kernels.ts'],
      bundle: true,
      format: 'esm',
      packages: 'external',
      metafile: true,
      write: false,
    });
    const files = Object.keys(metafile.inputs);
    expect(files).to.include('src/kernels/register_kernels.ts');
    expect(files.filter((file) => file !== 'src/kernels.ts' && !file.startsWith('src/kernels/'))).to.deep.equal([]);
    const packages = metafile.outputs[Object.keys(metafile.outputs)[0]].imports.map(({ path }) => path);
    expect([...new Set(packages)]).to.deep.equal(['@tensorflow/tfjs-core']);
  });

  it('lets a plain tfjs model train on wasm as tfjs trains it on cpu, with nothing else of the package', () => {
    const stock = train('cpu', '');
    const ours = train('wasm', "await import('./src/kernels.ts');");
    expect([stock.fused, stock.softmaxGradient]).to.deep.equal([false, false]);
    expect([ours.fused, ours.softmaxGradient]).to.deep.equal([true, true]);
    expect(ours.classes).to.deep.equal([]);
    expect(ours.losses[4]).to.be.below(ours.losses[0]);
    expect(ours.weights).to.have.length(stock.weights.length);
    stock.weights.forEach((value, i) => expect(ours.weights[i], `weight ${i}`).to.be.closeTo(value, 1e-5));
    stock.losses.forEach((value, i) => expect(ours.losses[i], `loss ${i}`).to.be.closeTo(value, 1e-5));
  });
});
