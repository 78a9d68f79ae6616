import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { build } from 'esbuild';
import { repository, unpackPackage } from '../support/installed_package';

/** What a bundler makes of a program that imports the packed package. */
interface Bundle {
  readonly path: string;
  readonly bytes: number;
  /** The package's files in it, from `dist`. */
  readonly files: readonly string[];
}

/** Makes a model, saves it and trains on wasm what it loads: without our kernels wasm has no gradient of an embedding. */
const trainsWhatItLoads = `
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import '@tensorflow/tfjs-backend-wasm';
import { causalLM } from 'tfjs-ilrec';

await tf.setBackend('wasm');
let artifacts;
const keep = tf.io.withSaveHandler(async (saved) => {
  artifacts = saved;
  return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
});
await causalLM({ vocabSize: 11, hiddenSize: 8, numHiddenLayers: 3, numAttentionHeads: 2 }).save(keep);
const model = await tfl.loadLayersModel(tf.io.fromMemory(artifacts));
const ids = tf.tensor2d([[1, 2, 3, 4, 5]], [1, 5], 'int32');
`;
const plainly = `${trainsWhatItLoads}
model.compile({ optimizer: tf.train.adam(0.01), loss: (labels, logits) => tf.losses.softmaxCrossEntropy(labels, logits) });
const { history } = await model.fit(ids, tf.oneHot(ids, 11), { epochs: 5, verbose: 0 });
console.log(JSON.stringify(history.loss));
`;
const withIlrec = `${trainsWhatItLoads.replace('{ causalLM }', '{ causalLM, ilrec }')}
const method = ilrec({ numNegativeLayers: 2 });
model.compile({ optimizer: tf.train.adam(0.01), loss: method.loss, metrics: method.metrics });
method.attach(model);
const { history } = await model.fit(ids, ids, { epochs: 5, verbose: 0 });
console.log(JSON.stringify(history.loss));
`;

describe('a bundle of a program that uses the packed package', () => {
  let folder: string;
  let numBundles = 0;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'ilrec-bundle-'));
    unpackPackage(folder);
    symlinkSync(join(repository, 'node_modules/@tensorflow'), join(folder, 'node_modules/@tensorflow'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  async function bundle(program: string): Promise<Bundle> {
    const path = join(folder, `bundle${numBundles++}.mjs`);
    const { metafile } = await build({
      stdin: { contents: program, resolveDir: folder },
      bundle: true,
      minify: true,
      metafile: true,
      format: 'esm',
      platform: 'neutral',
      mainFields: ['module', 'main'],
      external: ['@tensorflow/*'],
      outfile: path,
      absWorkingDir: folder,
      preserveSymlinks: true,
      logLevel: 'error',
    });
    const { bytes, inputs } = Object.values(metafile.outputs)[0];
    const dist = 'node_modules/tfjs-ilrec/dist';
    const used = Object.entries(inputs).filter(
      ([name, { bytesInOutput }]) => bytesInOutput > 0 && name.startsWith(dist),
    );
    return { path, bytes, files: used.map(([name]) => relative(dist, name)) };
  }

  it('holds of one pure function less than 60 kB', async () => {
    const { bytes, files } = await bundle(
      "import { SemanticIdTokenizer } from 'tfjs-ilrec'; console.log(SemanticIdTokenizer);",
    );
    expect(bytes).to.be.below(60_000);
    expect(files).to.include('tokenizers/semantic_id_tokenizer.js').and.not.include('register.js');
  });

  for (const name of ['crossEntropy', 'ndcg', 'buildPrefixTrie', 'createBatches', 'demoCatalogue'])
    it(`holds less than 60 kB of ${name}`, async () => {
      const { bytes } = await bundle(`import { ${name} } from 'tfjs-ilrec'; console.log(${name});`);
      expect(bytes).to.be.below(60_000);
    });

  it('holds nothing but kernels of the entry kernels, and holds them without using a name', async () => {
    const { files } = await bundle("import 'tfjs-ilrec/kernels';");
    expect(files).to.include('kernels/register_kernels.js');
    expect(files.filter((file) => !/^kernels[./]/.test(file))).to.deep.equal([]);
  });

  for (const entry of ['data', 'evaluation'])
    it(`holds no kernel, layer or loss of the entry ${entry}`, async () => {
      const { files, path } = await bundle(`import * as all from 'tfjs-ilrec/${entry}'; console.log(all);`);
      expect(files.filter((file) => /^(kernels|layers|taps|losses)[./]|^register/.test(file))).to.deep.equal([]);
      if (entry === 'data') expect(readFileSync(path, 'utf8')).to.not.include('@tensorflow/');
    });

  // prettier-ignore
  const registering = [
    'ilrec', 'sft', 'tappedMethod', 'causalLM', 'gpt2', 'sasrec', 'gru4rec', 'caser', 'createCausalDecoder', 'loadPretrainedFrom',
    'resizeTokenEmbeddings', 'trainModel', 'addLora', 'useBackend', 'Recommender',
  ];
  for (const name of registering)
    it(`registers kernels and layers with ${name} alone`, async () => {
      const { files } = await bundle(`import { ${name} } from 'tfjs-ilrec'; console.log(${name});`);
      expect(files).to.include.members(['register.js', 'kernels/register_kernels.js', 'layers/register_layers.js']);
    });

  for (const { name, program } of [
    { name: 'a plain loss', program: plainly },
    { name: 'ilrec()', program: withIlrec },
  ])
    it(`trains a loaded model on wasm with ${name}`, async () => {
      const { path } = await bundle(program);
      const losses = JSON.parse(execFileSync(process.execPath, [path], { encoding: 'utf8' })) as number[];
      expect(losses).to.have.length(5);
      expect(losses[4]).to.be.within(0.1, losses[0] - 0.1);
    });
});
