import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { expect } from 'chai';
import { decodeSafetensors, encodeSafetensors, type TensorFile } from '../../src/safetensors/safetensors';
import { folderSource } from '../../src/files/folder_source_node';
import { addLora, type LoraAdapter, setActiveAdapter } from '../../src/lora';
import { loadAdapter, saveAdapter } from '../../src/lora/peft_files_node';
import { setDropoutStep } from '../../src/layers';
import { causalLM } from '../../src/models/causal_lm';
import { createCausalDecoder } from '../../src/models/causal_lm_decoder';
import { loadPretrainedFrom } from '../../src/pretrained/load_pretrained';
import { AdamW } from '../../src/optimizers/adamw';
import { forEachBackend } from '../support/backends';
import { messageOf, temporaryFolder } from '../support/folders';
import {
  adapterFolder,
  checkpointFolder,
  goldenAdapters,
  readGoldenAdapter,
  relativeError,
  valuesOf,
} from '../support/golden';
import { assign, fillB, foreignModel } from '../support/lora_models';
import { integers, normals } from '../support/random';
import { maxDifference } from '../support/reference';

const V = 13;
const config = {
  vocabSize: V,
  hiddenSize: 8,
  intermediateSize: 11,
  numHiddenLayers: 2,
  numAttentionHeads: 2,
  initializerRange: 0.4,
  tieWordEmbeddings: false,
};
const ids = (): tf.Tensor2D => tf.tensor2d(integers(10, V, 1), [2, 5], 'int32');
const predict = (model: tfl.LayersModel, input = ids()): Float32Array =>
  tf.tidy(() => (model.predict(input) as tf.Tensor).dataSync<'float32'>().slice());
const tensorsOf = (folder: string): TensorFile =>
  decodeSafetensors(readFileSync(join(folder, 'adapter_model.safetensors')), folder);
const configOf = (folder: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(folder, 'adapter_config.json'), 'utf8'));

/** Moves what the adapter trains, the copies of modules too. */
function randomise(adapter: LoraAdapter): void {
  fillB(adapter);
  adapter.modules.forEach(({ copy }, i) => {
    const noise = normals(copy.read().size, 50 + i, 0.3);
    assign(
      copy,
      copy
        .read()
        .dataSync()
        .map((value, at) => value + noise[at]),
    );
  });
}

describe('PEFT files', () => {
  const folder = temporaryFolder();

  forEachBackend(() => {
    it('hold one pair per adapted module, under the names of transformers', async () => {
      const model = causalLM({ ...config, numHiddenLayers: 1 });
      const adapter = addLora(model, {
        targets: ['q_proj', 'down_proj', 'lm_head'],
        trainModules: ['embed_tokens', 'norm'],
        rank: 3,
        alpha: 5,
        dropout: 0.1,
        rsLora: true,
      });
      await saveAdapter(adapter, folder.path, { baseModel: 'some/base' });
      const { tensors, metadata } = tensorsOf(folder.path);
      expect(Object.fromEntries([...tensors].map(([name, { shape }]) => [name, shape]))).to.deep.equal({
        'base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight': [3, 8],
        'base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight': [8, 3],
        'base_model.model.model.layers.0.mlp.down_proj.lora_A.weight': [3, 11],
        'base_model.model.model.layers.0.mlp.down_proj.lora_B.weight': [8, 3],
        'base_model.model.lm_head.lora_A.weight': [3, 8],
        'base_model.model.lm_head.lora_B.weight': [13, 3],
        'base_model.model.model.embed_tokens.weight': [13, 8],
        'base_model.model.model.norm.weight': [8],
      });
      expect(metadata).to.deep.equal({ format: 'pt' });
      const {
        target_modules,
        modules_to_save,
        r,
        lora_alpha,
        lora_dropout,
        use_rslora,
        peft_type,
        bias,
        base_model_name_or_path,
      } = configOf(folder.path);
      expect({
        target_modules,
        modules_to_save,
        r,
        lora_alpha,
        lora_dropout,
        use_rslora,
        peft_type,
        bias,
        base_model_name_or_path,
      }).to.deep.equal({
        target_modules: ['down_proj', 'lm_head', 'q_proj'],
        modules_to_save: ['model.embed_tokens', 'model.norm'],
        r: 3,
        lora_alpha: 5,
        lora_dropout: 0.1,
        use_rslora: true,
        peft_type: 'LORA',
        bias: 'none',
        base_model_name_or_path: 'some/base',
      });
      const a = adapter.pairs[0].a.read().dataSync(); // [in, r] here, [r, in] there
      expect(
        [...(tensors.get('base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight')?.data ?? [])].slice(0, 8),
      ).to.deep.equal([...a].filter((_, i) => i % 3 === 0));
      model.dispose();
    });

    it('name whole modules where not all of one name are adapted', async () => {
      const model = causalLM(config);
      await saveAdapter(addLora(model, { targets: ['layers_1/q_proj', 'v_proj'] }), folder.path);
      expect(configOf(folder.path).target_modules).to.deep.equal(['model.layers.1.self_attn.q_proj', 'v_proj']);
      model.dispose();
    });

    it('give back the adapter, on own and foreign models, tied heads and copies of modules included', async () => {
      const make = [
        {
          build: () => causalLM(config),
          options: { targets: (path: string) => path !== 'embed_tokens/weight', trainModules: ['norm'] },
        },
        { build: () => causalLM({ ...config, tieWordEmbeddings: true }), options: { targets: ['q_proj', 'lm_head'] } },
        {
          build: () => causalLM({ ...config, tieWordEmbeddings: true }),
          options: { targets: ['o_proj'], trainModules: ['embed_tokens'] },
        },
        { build: () => foreignModel(V), options: { targets: ['kernel', 'gated/gate'], trainModules: ['table'] } },
      ];
      for (const { build, options } of make) {
        const [model, other] = [build(), build()];
        const adapter = addLora(model, { ...options, rank: 2, alpha: 3 });
        randomise(adapter);
        await saveAdapter(adapter, folder.path);
        const base = predict(other);
        const loaded = await loadAdapter(other, folder.path, { name: 'again' });
        expect(predict(other)).to.deep.equal(predict(model));
        expect(loaded.parameters.map((parameter) => [...parameter.read().dataSync()])).to.deep.equal(
          adapter.parameters.map((parameter) => [...parameter.read().dataSync()]),
        );
        expect(loaded.modules.map(({ use }) => use)).to.deep.equal(adapter.modules.map(({ use }) => use));
        setActiveAdapter(other, null);
        expect(predict(other)).to.deep.equal(base);
        for (const either of [model, other]) either.dispose();
      }
    });

    it('train on after loading, or not', async () => {
      const model = causalLM(config);
      await saveAdapter(addLora(model, { targets: 'q_proj' }), folder.path);
      const other = causalLM(config);
      const loaded = await loadAdapter(other, folder.path, { name: 'fixed', trainable: false });
      expect(other.trainableWeights).to.deep.equal([]);
      other.compile({ optimizer: tf.train.sgd(0.1), loss: 'meanSquaredError' });
      expect(await messageOf(other.trainOnBatch(ids(), tf.zeros([2, 5, V])))).to.equal(
        'addLora: a training step needs a trainable adapter, but "fixed" was loaded with trainable: false; load it with trainable: true',
      );
      loaded.remove();
      const trained = await loadAdapter(other, folder.path);
      other.compile({ optimizer: tf.train.sgd(0.1), loss: 'meanSquaredError' });
      await other.trainOnBatch(ids(), tf.zeros([2, 5, V]));
      expect(maxDifference(trained.pairs[0].b.read().dataSync(), new Float32Array(64))).to.be.above(1e-6);
      for (const either of [model, other]) either.dispose();
    });

    it("resume training with the same numbers, beside the optimizer's state and the count of steps", async () => {
      const options = { targets: ['q_proj', 'lm_head'], trainModules: 'norm', dropout: 0.3, rank: 2, seed: 4 };
      const train = async (model: tfl.LayersModel, optimizer: tf.Optimizer, steps: number): Promise<void> => {
        model.compile({ optimizer, loss: 'meanSquaredError' });
        for (let i = 0; i < steps; i++) await model.trainOnBatch(ids(), tf.ones([2, 5, V]));
      };
      const make = (): AdamW => new AdamW({ learningRate: 0.05 });
      const whole = causalLM(config);
      const expected = addLora(whole, options);
      await train(whole, make(), 5);

      const stopped = causalLM(config);
      const half = addLora(stopped, options);
      const first = make();
      await train(stopped, first, 3);
      await saveAdapter(half, folder.path);
      const resumed = causalLM(config);
      const loaded = await loadAdapter(resumed, folder.path, { seed: 4 });
      const second = make();
      await second.setWeights(await first.getWeights());
      setDropoutStep(resumed, 3);
      await train(resumed, second, 2);
      expect(loaded.parameters.map((parameter) => [...parameter.read().dataSync()])).to.deep.equal(
        expected.parameters.map((parameter) => [...parameter.read().dataSync()]),
      );
      for (const each of [whole, stopped, resumed]) each.dispose();
    });

    it("may hold the weight that an adapted head adds to, as peft stores it, if it is the base's", async () => {
      const model = causalLM(config);
      const adapter = addLora(model, { targets: 'lm_head', rank: 2 });
      fillB(adapter);
      await saveAdapter(adapter, folder.path);
      const adapted = predict(model);
      adapter.remove();
      const { tensors } = tensorsOf(folder.path);
      const head = model.getLayer('lm_head').weights[0].read().dataSync<'float32'>().slice();
      const write = (data: Float32Array): void =>
        writeFileSync(
          join(folder.path, 'adapter_model.safetensors'),
          encodeSafetensors({
            tensors: new Map([...tensors, ['base_model.model.lm_head.base_layer.weight', { shape: [V, 8], data }]]),
            metadata: {},
          }),
        );
      write(head);
      const loaded = await loadAdapter(model, folder.path);
      expect(loaded.modules).to.deep.equal([]);
      expect(predict(model)).to.deep.equal(adapted);
      loaded.remove();
      write(head.map((value) => value + 1));
      expect((await messageOf(loadAdapter(model, folder.path))).replace(folder.path, 'FOLDER')).to.equal(
        'loadAdapter: "base_model.model.lm_head.base_layer.weight" of FOLDER must equal the base\'s weight, to which the adapter adds, got other values; use the base model that the adapter was trained with',
      );
      model.dispose();
    });

    it('are refused where kind, settings, names or shapes do not fit', async () => {
      const model = causalLM({ ...config, numHiddenLayers: 1 });
      const adapter = addLora(model, { targets: 'q_proj', rank: 2 });
      await saveAdapter(adapter, folder.path);
      const [goodConfig, goodFile] = [configOf(folder.path), tensorsOf(folder.path)];
      adapter.remove();
      const at = join(folder.path, 'changed');
      mkdirSync(at, { recursive: true });
      const refusal = async (
        changes: Record<string, unknown>,
        tensors: (old: TensorFile['tensors']) => TensorFile['tensors'] = (old) => old,
      ): Promise<string> => {
        writeFileSync(join(at, 'adapter_config.json'), JSON.stringify({ ...goodConfig, ...changes }));
        writeFileSync(
          join(at, 'adapter_model.safetensors'),
          encodeSafetensors({ tensors: tensors(goodFile.tensors), metadata: {} }),
        );
        const before = tf.memory().numTensors;
        const message = await messageOf(loadAdapter(model, at));
        expect(tf.memory().numTensors).to.equal(before);
        return message.replaceAll(at, 'FOLDER');
      };
      const setting = (field: string, rule: string, value: unknown): string =>
        `loadAdapter: ${field} in adapter_config.json of FOLDER must be ${rule}, got ${JSON.stringify(value)}`;
      expect(await refusal({ peft_type: 'IA3' })).to.equal(setting('peft_type', '"LORA"', 'IA3'));
      expect(await refusal({ use_dora: true })).to.equal(
        setting('use_dora', 'unset, because it is not supported', true),
      );
      expect(await refusal({ layer_replication: [[0, 2]] })).to.equal(
        setting('layer_replication', 'unset, because it is not supported', [[0, 2]]),
      );
      expect(await refusal({ bias: 'all' })).to.equal(setting('bias', '"none"', 'all'));
      expect(await refusal({ init_lora_weights: 'pissa' })).to.equal(
        setting(
          'init_lora_weights',
          'one that leaves the base unchanged (convert the adapter to a plain LoRA)',
          'pissa',
        ),
      );
      for (const [field, rule, value] of [
        ['target_modules', 'a text or a list of texts', 7],
        ['modules_to_save', 'a list of texts', 'lm_head'],
        ['layers_to_transform', 'a number or a list of numbers', 'all'],
        ['layers_pattern', 'a regular expression', '('],
        ['rank_pattern', 'an object of numbers', { q_proj: '4' }],
      ] as const) {
        expect(await refusal({ [field]: value })).to.equal(setting(field, rule, value));
      }
      expect(await refusal({ target_modules: ['q_proj', 'k_proj'] })).to.equal(
        'loadAdapter: adapter_model.safetensors of FOLDER must hold "base_model.model.model.layers.0.self_attn.k_proj.lora_A.weight", which adapter_config.json names, got none; use both files of one adapter',
      );
      expect(await refusal({ modules_to_save: ['lm_head'] })).to.equal(
        'loadAdapter: adapter_model.safetensors of FOLDER must hold module "lm_head", which adapter_config.json names, got none; use both files of one adapter',
      );
      const rename = (from: string, to: string) => (old: TensorFile['tensors']) =>
        new Map([...old].map(([name, tensor]) => [name.replace(from, to), tensor]));
      expect(await refusal({ target_modules: null }, rename('layers.0', 'layers.7'))).to.equal(
        'loadAdapter: every adapted module of FOLDER must exist in the model, got "base_model.model.model.layers.7.self_attn.q_proj.lora_A.weight"; modules: model.layers.0.self_attn.q_proj, model.layers.0.self_attn.k_proj, model.layers.0.self_attn.v_proj, model.layers.0.self_attn.o_proj, model.layers.0.mlp.gate_proj, model.layers.0.mlp.up_proj, model.layers.0.mlp.down_proj, lm_head',
      );
      const add = (name: string, shape: number[]) => (old: TensorFile['tensors']) =>
        new Map([...old, [name, { shape, data: new Float32Array(shape[0] * shape[1]).fill(9) }]]);
      expect(await refusal({}, add('base_model.model.score.weight', [2, 8]))).to.equal(
        'loadAdapter: every saved module of FOLDER must exist in the model, got "base_model.model.score.weight"; modules: model.embed_tokens.weight, model.norm.weight, lm_head.weight',
      );
      for (const name of ['v_head.summary.weight', 'base_model.model.v_head.summary.weight'])
        expect(await refusal({}, add(name, [1, 8]))).to.equal(
          `loadAdapter: adapter_model.safetensors of FOLDER must hold the adapter alone, got "${name}" of a value head, which TRL adds for reinforcement learning and the language model does not use; save the adapter without it`,
        );
      expect(await refusal({ constructor: 3 })).to.equal(
        setting('constructor', 'unset, because it is not supported', 3),
      );
      expect(await refusal({}, add('base_model.model.lm_head.weight', [14, 8]))).to.equal(
        'loadAdapter: "base_model.model.lm_head.weight" of FOLDER must be [13, 8] for "lm_head/weight", got [14, 8]; use the base model that the adapter was trained with',
      );
      expect(await refusal({ r: 3 })).to.equal(
        'loadAdapter: "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight" of FOLDER must be [3, 8] for "layers_0/q_proj", got [2, 8]; use the base model and the rank that the adapter was trained with',
      );
      writeFileSync(join(at, 'adapter_config.json'), JSON.stringify(goodConfig));
      writeFileSync(
        join(at, 'adapter_model.safetensors'),
        'version https://git-lfs.github.com/spec/v1\noid sha256:00\n',
      );
      expect((await messageOf(loadAdapter(model, at))).replaceAll(at, 'FOLDER')).to.equal(
        'loadAdapter: adapter_model.safetensors of FOLDER must be the file itself, got the pointer that Git LFS leaves in its place; run "git lfs pull" in the clone, or download the file',
      );
      renameSync(join(at, 'adapter_model.safetensors'), join(at, 'adapter_model.bin'));
      expect((await messageOf(loadAdapter(model, at))).replaceAll(at, 'FOLDER')).to.equal(
        "loadAdapter: FOLDER must have adapter_model.safetensors, got adapter_model.bin; convert it in Python with peft: PeftModel.from_pretrained(base, folder), then the model's save_pretrained(folder)",
      );
      const removed = addLora(model, { targets: 'q_proj' });
      removed.remove();
      expect(await messageOf(saveAdapter(removed, at))).to.equal(
        'saveAdapter: adapter "default" must belong to a model, got a removed one; save it before remove()',
      );
      const block = addLora(model, { targets: 'lm_head', trainModules: 'layers_0' });
      expect(await messageOf(saveAdapter(block, at))).to.equal(
        'saveAdapter: trainModules must be layers around the blocks, got "layers_0"; adapt its projections with targets instead',
      );
      model.dispose();
    });

    for (const name of goldenAdapters) {
      it(`of peft compute what peft does, beside the base and merged, and are written again as they were read: ${name}`, async () => {
        const golden = readGoldenAdapter(name);
        const { model } = await loadPretrainedFrom(folderSource(checkpointFolder(golden.checkpoint)));
        const prompt = tf.tensor2d([...golden.prompt], [1, golden.prompt.length], 'int32');
        const adapter = await loadAdapter(model, adapterFolder(name), { trainable: false });
        const logits = valuesOf(golden.logits);
        expect(relativeError(predict(model, prompt), logits)).to.be.at.most(1e-4);
        const decoder = createCausalDecoder(model);
        const state = decoder.prefill([golden.prompt], 1);
        const last = tf.tidy(() => decoder.project(decoder.hidden(state)).dataSync().slice());
        expect(relativeError(last, logits.slice(-decoder.vocabSize))).to.be.at.most(1e-4);
        decoder.dispose(state);
        await saveAdapter(adapter, folder.path);
        const [written, read] = [tensorsOf(folder.path).tensors, tensorsOf(adapterFolder(name)).tensors];
        const unchanged = [...read.keys()].filter((tensor) => tensor.includes('base_layer')); // the base's own head, beside an adapter on it
        expect([...written.keys()].sort()).to.deep.equal(
          [...read.keys()].filter((tensor) => !unchanged.includes(tensor)).sort(),
        );
        for (const [tensor, { data, shape }] of written)
          expect({ shape, data: [...data] }, tensor).to.deep.equal({
            shape: read.get(tensor)?.shape,
            data: [...(read.get(tensor)?.data ?? [])],
          });
        if (adapter.pairs.every(({ site }) => !site.tied) && adapter.modules.every(({ use }) => use === 'all')) {
          adapter.merge();
          expect(relativeError(predict(model, prompt), valuesOf(golden.mergedLogits))).to.be.at.most(1e-4);
        }
        model.dispose();
      });
    }
  });
});
