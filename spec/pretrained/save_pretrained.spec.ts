import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { expect } from 'chai';
import { folderSource } from '../../src/files/folder_source_node';
import { openSafetensors } from '../../src/safetensors/safetensors_reader';
import { IlrecError } from '../../src/errors';
import { addLora } from '../../src/lora';
import { familyOf } from '../../src/models/families';
import { loadPretrainedFrom, type Pretrained } from '../../src/pretrained/load_pretrained';
import { loadPretrained } from '../../src/pretrained/load_pretrained_node';
import { savePretrained } from '../../src/pretrained/save_pretrained_node';
import { disposeModel } from '../../src/models/dispose_model';
import { forEachBackend } from '../support/backends';
import { temporaryFolder } from '../support/folders';
import { memorySource } from '../support/memory_source';
import { normals } from '../support/random';
import { randomTensors, safetensorsOf, SMALL_CONFIG } from '../support/small_checkpoint';

const CHECKPOINTS = fileURLToPath(new URL('../golden/checkpoints', import.meta.url));
const tensors = randomTensors(SMALL_CONFIG);
const small = async (): Promise<Pretrained> =>
  await loadPretrainedFrom(memorySource({ 'config.json': SMALL_CONFIG, 'model.safetensors': safetensorsOf(tensors) }));

function logitsOf(model: tfl.LayersModel): number[] {
  return tf.tidy(() =>
    Array.from((model.predict(tf.tensor2d([[1, 5, 2, 12, 7]], [1, 5], 'int32')) as tf.Tensor).dataSync()),
  );
}

async function readJsonFile(...path: string[]): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(join(...path), 'utf8')) as Record<string, unknown>;
}

async function refusal(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).to.be.instanceOf(IlrecError);
  return (error as Error).message;
}

describe('savePretrained', () => {
  const folder = temporaryFolder();
  let out = '';
  before(async () => void (await tf.setBackend('cpu')));
  beforeEach(() => {
    out = join(folder.path, 'out');
  });

  forEachBackend(() => {
    for (const name of ['llama3', 'qwen3', 'gpt2', 'gpt2_untied']) {
      it(`writes ${name} with the names, shapes and bytes that it was read from, and loads it again with equal logits`, async () => {
        const before = await loadPretrained(join(CHECKPOINTS, name));
        const tensors = tf.memory().numTensors;
        await savePretrained(out, before);
        expect(tf.memory().numTensors).to.equal(tensors);
        const after = await loadPretrained(out);
        expect(logitsOf(after.model)).to.deep.equal(logitsOf(before.model));
        expect(after.tokenizer?.toJSON()).to.deep.equal(before.tokenizer?.toJSON());
        expect(after.generationConfig).to.deep.equal(before.generationConfig);
        const [one, other] = [
          await openSafetensors(folderSource(join(CHECKPOINTS, name))),
          await openSafetensors(folderSource(out)),
        ];
        for (const [tensor, { shape }] of other.entries) {
          const original = one.entries.has(tensor) ? tensor : tensor.replace(/^transformer\./, '');
          expect([...shape], tensor).to.deep.equal([...(one.entries.get(original)?.shape ?? [])]);
          expect(await other.read(tensor)).to.deep.equal(await one.read(original));
        }
        [before, after].forEach(({ model }) => disposeModel(model));
      });
    }
  });

  it('writes a config that says what is in the files', async () => {
    const pretrained = await small();
    await savePretrained(out, { ...pretrained, dtype: 'BF16' });
    expect((await readdir(out)).sort()).to.deep.equal(['config.json', 'model.safetensors']);
    expect(await readJsonFile(out, 'config.json')).to.deep.equal({ ...SMALL_CONFIG, torch_dtype: 'bfloat16' });
    const { dtype: _dtype, torch_dtype: _old, ...rest } = SMALL_CONFIG as typeof SMALL_CONFIG & { dtype?: string };
    await savePretrained(out, { ...pretrained, config: { ...rest, dtype: 'bfloat16' } });
    expect(await readJsonFile(out, 'config.json')).to.deep.equal({ ...rest, dtype: 'float32' });
    expect([...(await openSafetensors(folderSource(out))).entries.values()].map(({ dtype }) => dtype)).to.satisfy(
      (types: string[]) => types.every((type) => type === 'F32'),
    );
    disposeModel(pretrained.model);
  });

  it('keeps the generation config and the chat template, wherever the checkpoint has it', async () => {
    const at = join(CHECKPOINTS, 'smollm2');
    const template = "{% for message in messages %}{{ message['content'] }}\n{% endfor %}";
    const copies = {
      'tokenizer_config.json': { chat_template: template },
      'chat_template.jinja': null,
      both: { chat_template: 'an older one' },
    };
    for (const [place, config] of Object.entries(copies)) {
      const source = join(folder.path, place);
      await cp(at, source, { recursive: true });
      const own = await readJsonFile(source, 'tokenizer_config.json');
      await writeFile(join(source, 'tokenizer_config.json'), JSON.stringify({ ...own, ...config }));
      if (place !== 'tokenizer_config.json') await writeFile(join(source, 'chat_template.jinja'), template);
      const pretrained = await loadPretrained(source);
      await savePretrained(out, pretrained);
      expect(await readJsonFile(out, 'tokenizer_config.json'), place).to.deep.equal({
        ...own,
        chat_template: template,
      });
      expect(await readJsonFile(out, 'generation_config.json'), place).to.deep.equal(
        await readJsonFile(at, 'generation_config.json'),
      );
      const grown = pretrained.tokenizer?.addTokens(['<a_1>']).toJSON().config;
      expect(grown?.chat_template, place).to.equal(template);
      disposeModel(pretrained.model);
    }
  });

  for (const [dtype, tolerance] of [
    ['F16', 1e-3],
    ['BF16', 1e-2],
  ] as const) {
    it(`rounds to ${dtype}, once`, async () => {
      const pretrained = await small();
      await savePretrained(out, { ...pretrained, dtype });
      const rounded = await loadPretrained(out);
      const [a, b] = [logitsOf(rounded.model), logitsOf(pretrained.model)];
      expect(Math.max(...a.map((value, i) => Math.abs(value - b[i]))) / Math.max(...b.map(Math.abs))).to.be.within(
        1e-6,
        tolerance,
      );
      await savePretrained(join(folder.path, 'again'), { ...rounded, dtype });
      const [first, second] = await Promise.all(
        ['out', 'again'].map(async (name) => await readFile(join(folder.path, name, 'model.safetensors'))),
      );
      expect(second.equals(first)).to.equal(true);
      [pretrained, rounded].forEach(({ model }) => disposeModel(model));
    });
  }

  it('writes shards of at most the bytes asked for, with an index, and larger tensors alone', async () => {
    const pretrained = await small();
    await savePretrained(out, { ...pretrained, maxShardBytes: 1500 });
    const names = (await readdir(out)).filter((name) => name.endsWith('.safetensors')).sort();
    expect(names[0]).to.equal(`model-00001-of-${String(names.length).padStart(5, '0')}.safetensors`);
    const index = (await readJsonFile(out, 'model.safetensors.index.json')) as {
      metadata: Record<string, number>;
      weight_map: Record<string, string>;
    };
    const numbers = [...tensors.values()].reduce((sum, { values }) => sum + values.length, 0);
    expect(index.metadata).to.deep.equal({ total_parameters: numbers, total_size: 4 * numbers });
    const bytes = new Map<string, number>();
    for (const [name, file] of Object.entries(index.weight_map))
      bytes.set(file, (bytes.get(file) ?? 0) + 4 * (tensors.get(name)?.values.length ?? 0));
    expect([...bytes.keys()].sort()).to.deep.equal(names);
    expect(Math.max(...bytes.values())).to.be.at.most(1500);
    const again = await loadPretrained(out);
    expect(logitsOf(again.model)).to.deep.equal(logitsOf(pretrained.model));

    await savePretrained(out, pretrained); // over the shards
    expect((await readdir(out)).sort()).to.deep.equal(['config.json', 'model.safetensors']);
    await savePretrained(out, { ...pretrained, maxShardBytes: 1 });
    expect((await readdir(out)).filter((name) => name.endsWith('.safetensors'))).to.have.length(tensors.size);
    [pretrained, again].forEach(({ model }) => disposeModel(model));
  });

  it('takes the number of tokens from the model, as its embedding may have grown', async () => {
    const { model, ...rest } = await small();
    const grown = familyOf(SMALL_CONFIG, 'small').build({ ...SMALL_CONFIG, vocab_size: 19 }, 'small');
    await savePretrained(out, { ...rest, model: grown });
    expect((await readJsonFile(out, 'config.json')).vocab_size).to.equal(19);
    disposeModel((await loadPretrained(out)).model);
    [model, grown].forEach(disposeModel);
  });

  it('refuses a config of another model', async () => {
    const { model, config } = await small();
    const message = async (change: object): Promise<string> =>
      await refusal(savePretrained(out, { model, config: { ...config, ...change } }));
    expect(await message({ tie_word_embeddings: true })).to.equal(
      'savePretrained: config must describe every weight of the model, got one without "lm_head/weight"; use the config that the model was loaded with',
    );
    expect(await message({ num_hidden_layers: 3 })).to.equal(
      'savePretrained: the model must have the weights that config describes, got no "layers_2/input_layernorm"; use the config that the model was loaded with',
    );
    expect(await message({ intermediate_size: 19 })).to.equal(
      'savePretrained: config says that "layers_0/gate_proj" is [12, 19], got [12, 17] in the model; use the config that the model was loaded with',
    );
    expect(await message({ model_type: 'bert' })).to.contain('model_type in');
    disposeModel(model);
  });

  it('writes merged adapters as a plain checkpoint, and refuses those that are not merged', async () => {
    const pretrained = await small();
    const adapter = addLora(pretrained.model, { rank: 2, targets: ['v_proj', 'lm_head'], trainModules: ['norm'] });
    adapter.parameters.forEach((parameter, i) =>
      tf.tidy(() => void parameter.write(tf.tensor(normals(parameter.read().size, i, 0.5), parameter.read().shape))),
    );
    const adapted = logitsOf(pretrained.model);
    expect(await refusal(savePretrained(out, pretrained))).to.equal(
      'savePretrained: adapters must be merged into the weights or removed, got an active one on "layers_0"; call its merge(), or write it alone with saveAdapter',
    );
    adapter.merge();
    await savePretrained(out, pretrained);
    const plain = await loadPretrained(out);
    const written = logitsOf(plain.model);
    expect(
      Math.max(...written.map((value, i) => Math.abs(value - adapted[i]))) / Math.max(...adapted.map(Math.abs)),
    ).to.be.below(1e-5);
    adapter.remove();
    const base = logitsOf(pretrained.model);
    expect(Math.max(...written.map((value, i) => Math.abs(value - base[i])))).to.be.above(0.01);
    await savePretrained(out, pretrained);
    const again = await loadPretrained(out);
    expect(logitsOf(again.model)).to.deep.equal(base);
    [pretrained, plain, again].forEach(({ model }) => disposeModel(model));
  });

  it('refuses values beyond float16, and options that mean nothing', async () => {
    const pretrained = await small();
    const norm = pretrained.model.weights.find(
      ({ originalName }) => originalName === 'norm/weight',
    ) as tfl.LayerVariable;
    tf.tidy(() => void norm.write(tf.fill([12], 1e5)));
    expect(await refusal(savePretrained(out, { ...pretrained, dtype: 'F16' }))).to.equal(
      "savePretrained: float16 holds values up to 65504, got 100000 in \"model.norm.weight\"; use dtype 'BF16' or 'F32'",
    );
    expect(await readdir(folder.path)).to.deep.equal([]); // nothing half-written
    expect(await refusal(savePretrained(out, { ...pretrained, dtype: 'F8' as 'F16' }))).to.equal(
      'savePretrained: dtype must be one of F32, F16, BF16, got F8',
    );
    expect(await refusal(savePretrained(out, { ...pretrained, maxShardBytes: 0 }))).to.equal(
      'savePretrained: maxShardBytes must be above 0, got 0',
    );
    disposeModel(pretrained.model);
  });

  it('leaves folders with other files alone, and the earlier checkpoint where writing fails', async () => {
    const pretrained = await small();
    await mkdir(out);
    await writeFile(join(out, 'thesis.txt'), 'precious');
    expect(await refusal(savePretrained(out, pretrained))).to.equal(
      `savePretrained: ${out} must be new, empty or an earlier checkpoint, got a folder with thesis.txt; choose another one`,
    );
    expect(await refusal(savePretrained(join(out, 'thesis.txt'), pretrained))).to.equal(
      `savePretrained: ${join(out, 'thesis.txt')} must be a folder, got a file; choose another name`,
    );
    const earlier = join(folder.path, 'earlier');
    await savePretrained(earlier, pretrained);
    const bytes = await readFile(join(earlier, 'model.safetensors'));
    const norm = pretrained.model.weights.find(
      ({ originalName }) => originalName === 'norm/weight',
    ) as tfl.LayerVariable;
    tf.tidy(() => void norm.write(tf.fill([12], 1e5)));
    await refusal(savePretrained(earlier, { ...pretrained, dtype: 'F16' }));
    expect((await readFile(join(earlier, 'model.safetensors'))).equals(bytes)).to.equal(true);
    expect((await readdir(folder.path)).sort()).to.deep.equal(['earlier', 'out']);
    disposeModel(pretrained.model);
  });
});
