import { expect } from 'chai';
import { cpSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createContext, runInContext } from 'node:vm';
import ts from 'typescript';
import { VERSION } from '../src/version';
import { ENTRIES } from './api/public_api';
import { type InstalledPackage, installPackage, repository } from './support/installed_package';
import { programsOf, toCommonJs } from './support/readme_program';

const consumer = `
import * as tf from '@tensorflow/tfjs-core';
import { causalLM, ilrec, type IlrecOptions, type Reward } from 'tfjs-ilrec';
import { type InteractionData, prepareInteractions } from 'tfjs-ilrec/data';
import { evaluateRecommender } from 'tfjs-ilrec/evaluation';
import { registerKernels } from 'tfjs-ilrec/kernels';
import { trainRun, type TrainRunOptions } from 'tfjs-ilrec/node';

const reward: Reward = ({ positions, vocabSize }) => tf.zeros([positions.length, vocabSize]);
const options: IlrecOptions = { numNegativeLayers: 2, penalty: 'additive', reward };
const method = ilrec(options);
causalLM({ vocabSize: 7 }).compile({ optimizer: 'adam', loss: method.loss, metrics: method.metrics });
export const prepare = (data: InteractionData): unknown => [prepareInteractions(data), evaluateRecommender, registerKernels];
export const train = (run: TrainRunOptions): Promise<unknown> => trainRun(run);
// @ts-expect-error a penalty that does not exist
ilrec({ penalty: 'none' });
`;

const workerScript = `(async () => {
  await tf.setBackend('cpu');
  const model = ilrec.causalLM({ vocabSize: 7, hiddenSize: 8, numHiddenLayers: 3 });
  const method = ilrec.ilrec({ numNegativeLayers: 2 });
  model.compile({ optimizer: 'adam', loss: method.loss, metrics: method.metrics });
  method.attach(model);
  const ids = tf.ones([2, 5], 'int32');
  return (await model.fit(ids, ids, { epochs: 2, verbose: 0 })).history.loss;
})()`;

describe('the package, packed and installed into an empty folder', () => {
  let installed: InstalledPackage;

  before(() => {
    installed = installPackage();
  });
  after(() => installed?.remove());

  for (const { name, file, program } of [
    { name: 'an ES module', file: 'program.mjs', program: () => programsOf('README.md')[0] },
    { name: 'CommonJS', file: 'program.cjs', program: () => toCommonJs(programsOf('README.md')[0]) },
  ]) {
    it(`runs the README's program as ${name}`, async () => {
      installed.write(file, program());
      expect(await installed.node(file)).to.match(/^bought: .+\n(\d+\.\d % .+\n){5}$/);
    });
  }

  it('runs the programs of the docs on a model of stock layers and on a pretrained folder', async () => {
    installed.write('own.mjs', programsOf('docs/own-model.md')[0]);
    expect(await installed.node('own.mjs')).to.match(/\nnext: .+\n$/);
    cpSync(join(repository, 'spec/golden/checkpoints/smollm2'), join(installed.folder, 'SmolLM2-135M'), {
      recursive: true,
    });
    installed.write('pretrained.mjs', programsOf('docs/pretrained-checkpoint.md')[0]);
    expect(await installed.node('pretrained.mjs')).to.match(/\nnext: .+\n$/);
    expect(readdirSync(join(installed.folder, 'shop-adapter')).sort()).to.deep.equal([
      'adapter_config.json',
      'adapter_model.safetensors',
    ]);
  });

  it('gives the same functions to import and require, from each entry', async () => {
    const entries = Object.keys(ENTRIES);
    installed.write(
      'exports.mjs',
      entries
        .map((entry, i) => `import * as e${i} from '${entry}'; console.log(Object.keys(e${i}).sort().join());`)
        .join('\n'),
    );
    installed.write(
      'exports.cjs',
      entries.map((entry) => `console.log(Object.keys(require('${entry}')).sort().join());`).join('\n'),
    );
    const imported = await installed.node('exports.mjs');
    expect(await installed.node('exports.cjs')).to.equal(imported);
    const [index, node, kernels, data, evaluation] = imported.split('\n').map((line) => line.split(','));
    expect(index).to.include.members(['ilrec', 'causalLM', 'crossEntropy', 'trieReward', 'constrainedBeamSearch']);
    expect(index).to.include.members(['SemanticIdTokenizer', ...data, ...evaluation, ...kernels]);
    expect(node).to.include.members(['ilrec', 'prepareData', 'trainRun', 'evaluateRun', 'recommend', 'compareMethods']);
    expect(kernels).to.include('registerKernels');
    expect(data).to.include('prepareInteractions');
    expect(evaluation).to.include('evaluateRecommender');
  });

  it('publishes what runs and no source maps, in less than 2 MB', () => {
    expect(readdirSync(installed.root).sort()).to.deep.equal([
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'dist',
      'package.json',
    ]);
    const files = readdirSync(installed.root, { recursive: true, encoding: 'utf8' });
    expect(files.filter((file) => file.endsWith('.map'))).to.deep.equal([]);
    expect(installed.tarballBytes).to.be.below(2_000_000);
  });

  it('never reaches node: from the browser entries, and imports nothing but its peers and four small packages', () => {
    const files = ['index', 'kernels', 'data', 'evaluation'].map((name) => join(installed.root, `dist/${name}.js`));
    const packages = new Set<string>();
    for (const file of files) {
      const code = readFileSync(file, 'utf8');
      expect(code, file).to.not.match(/['"`]node:|\brequire\(|\bprocess\./);
      for (const [, from] of code.matchAll(
        /^(?:import|export)\b[^;]*?['"]([^'"]+)['"];$|\bimport\(['"]([^'"]+)['"]\)/gm,
      )) {
        if (!from.startsWith('.')) packages.add(from.replace(/^(pure-rand)\/.*/, '$1'));
        else if (!files.includes(join(dirname(file), from))) files.push(join(dirname(file), from));
      }
    }
    expect(files.length).to.be.above(100);
    expect([...packages].sort()).to.deep.equal([
      '@huggingface/tokenizers',
      '@tensorflow/tfjs-core',
      '@tensorflow/tfjs-layers',
      'papaparse/papaparse.min.js',
      'pure-rand',
      'zod',
    ]);
  });

  for (const bundle of ['tfjs-ilrec.umd.js', 'tfjs-ilrec.umd.min.js']) {
    it(`trains with ${bundle} as a script beside tf.min.js`, async () => {
      const tfjs = join(repository, 'node_modules/@tensorflow/tfjs/dist/tf.min.js');
      const context = createContext({ setTimeout, performance, TextEncoder, TextDecoder, WorkerGlobalScope: class {} }); // a web worker, to tfjs
      for (const script of [tfjs, join(installed.root, 'dist', bundle)])
        runInContext(readFileSync(script, 'utf8'), context);
      const [first, second] = (await runInContext(workerScript, context)) as number[];
      expect(first).to.be.closeTo(Math.log(7), 0.3);
      expect(second).to.be.below(first);
    });
  }

  for (const { resolution, module, files } of [
    {
      resolution: ts.ModuleResolutionKind.Node16,
      module: ts.ModuleKind.Node16,
      files: ['consumer.mts', 'consumer.cts'],
    },
    { resolution: ts.ModuleResolutionKind.Bundler, module: ts.ModuleKind.ESNext, files: ['consumer.ts'] },
  ]) {
    it(`has types for ${files.join(' and ')} under moduleResolution ${ts.ModuleResolutionKind[resolution].toLowerCase()}`, () => {
      for (const file of files) installed.write(file, consumer);
      const program = ts.createProgram(
        files.map((file) => join(installed.folder, file)),
        {
          module,
          moduleResolution: resolution,
          target: ts.ScriptTarget.ES2022,
          strict: true,
          noEmit: true,
          skipLibCheck: true,
          types: [],
          lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'],
        },
      );
      const messages = ts
        .getPreEmitDiagnostics(program)
        .map(({ file, messageText }) => `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`);
      expect(messages).to.deep.equal([]);
    });
  }

  it('starts the command line', async () => {
    const bin = join(installed.root, 'dist/cli.js');
    expect(readFileSync(bin, 'utf8')).to.match(/^#!\/usr\/bin\/env node\n(?!#!)/);
    expect(await installed.node(bin, '--version')).to.equal(`${VERSION}\n`);
    expect(await installed.node(bin, '--help')).to.match(
      /^ {2}prepare .*^ {2}train .*^ {2}evaluate .*^ {2}recommend .*^ {2}compare .*^ {2}doctor /ms,
    );
  });

  it('says the version of its package.json', () => {
    const { version } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as { version: string };
    expect(VERSION).to.equal(version);
  });
});
