import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { expect } from 'chai';
import { READ_BYTES } from '../../src/safetensors/read_rows';
import { IlrecError } from '../../src/errors';
import { loadPretrained } from '../../src/pretrained/load_pretrained_node';
import { loadPretrainedFrom } from '../../src/pretrained/load_pretrained';
import { disposeModel } from '../../src/models/dispose_model';
import { forEachBackend } from '../support/backends';
import { messageOf, temporaryFolder } from '../support/folders';
import type { TensorNames } from '../../src/safetensors/tensor_names';
import { memorySource } from '../support/memory_source';
import { randomTensors, safetensorsOf, SMALL_CONFIG, type StoredTensor } from '../support/small_checkpoint';

const CHECKPOINTS = fileURLToPath(new URL('../golden/checkpoints', import.meta.url));
const tensors = randomTensors(SMALL_CONFIG);
const files = { 'config.json': SMALL_CONFIG, 'model.safetensors': safetensorsOf(tensors) };

/** Logits of a fixed prompt. */
function logitsOf(model: tfl.LayersModel): number[] {
  return tf.tidy(() =>
    Array.from((model.predict(tf.tensor2d([[1, 5, 2, 12, 7]], [1, 5], 'int32')) as tf.Tensor).dataSync()),
  );
}

/** The values of a weight as the model holds it. */
function valuesOf(model: tfl.LayersModel, path: string): number[] {
  const variable = model.weights.find(({ originalName }) => originalName === path) as tfl.LayerVariable;
  return Array.from(variable.read().dataSync());
}

async function refusal(changed: Record<string, Uint8Array | object>): Promise<string> {
  const before = tf.memory().numTensors;
  const error = await loadPretrainedFrom(memorySource({ ...files, ...changed }, 'SRC')).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).to.be.instanceOf(IlrecError);
  expect(tf.memory().numTensors).to.equal(before);
  return (error as Error).message;
}

const without = (name: string, from = tensors): Map<string, StoredTensor> =>
  new Map([...from].filter(([key]) => key !== name));

describe('loadPretrainedFrom', () => {
  before(async () => void (await tf.setBackend('cpu')));

  forEachBackend(() => {
    it('puts each tensor where it belongs, kernels transposed', async () => {
      const { model, config, tokenizer, generationConfig } = await loadPretrainedFrom(memorySource(files));
      const key = tensors.get('model.layers.1.self_attn.k_proj.weight') as StoredTensor; // [4, 12]
      expect(valuesOf(model, 'layers_1/k_proj')).to.deep.equal(
        Array.from({ length: 48 }, (_, i) => key.values[(i % 4) * 12 + Math.floor(i / 4)]),
      ); // [12, 4]
      for (const [name, path] of [
        ['model.embed_tokens.weight', 'embed_tokens/weight'],
        ['model.norm.weight', 'norm/weight'],
        ['lm_head.weight', 'lm_head/weight'],
        ['model.layers.0.input_layernorm.weight', 'layers_0/input_layernorm'],
      ]) {
        expect(valuesOf(model, path), name).to.deep.equal([...(tensors.get(name) as StoredTensor).values]);
      }
      expect(config).to.deep.equal(SMALL_CONFIG);
      expect([tokenizer, generationConfig]).to.deep.equal([null, null]);
      disposeModel(model);
    });

    it('leaves nothing but the weights, and holds one tensor beside them at a time', async () => {
      const before = tf.memory();
      const source = memorySource(files);
      let peak = 0;
      const read = source.read.bind(source);
      source.read = async (...call) => {
        peak = Math.max(peak, tf.memory().numBytes);
        return await read(...call);
      };
      const { model } = await loadPretrainedFrom(source);
      const weights = 4 * [...tensors.values()].reduce((sum, { values }) => sum + values.length, 0);
      expect(tf.memory().numBytes - before.numBytes).to.equal(weights);
      expect(tf.memory().numTensors - before.numTensors).to.equal(tensors.size);
      expect(peak - before.numBytes).to.equal(weights); // a tensor that is read lies on the CPU until it takes its weight's place
      const largest = 4 * Math.max(...[...tensors.values()].map(({ values }) => values.length));
      expect(
        Math.max(
          ...source.reads
            .filter(({ file }) => file === 'model.safetensors')
            .slice(2)
            .map(({ bytes }) => bytes),
        ),
      ).to.equal(Math.min(largest, READ_BYTES));
      disposeModel(model);
      expect(tf.memory().numTensors).to.equal(before.numTensors);
    });

    it('gives the same logits from half-precision files as from the rounded values', async () => {
      const half = await loadPretrainedFrom(
        memorySource({ ...files, 'model.safetensors': safetensorsOf(tensors, 'BF16') }),
      );
      const bits = (value: number): number => new Uint32Array(Float32Array.of(value).buffer)[0];
      expect(valuesOf(half.model, 'lm_head/weight').every((value) => (bits(value) & 0xffff) === 0)).to.equal(true);
      const full = await loadPretrainedFrom(memorySource(files));
      const [a, b] = [logitsOf(half.model), logitsOf(full.model)];
      expect(Math.max(...a.map((value, i) => Math.abs(value - b[i])))).to.be.within(1e-5, 0.1);
      [half, full].forEach(({ model }) => disposeModel(model));
    });
  });

  it('names what a config of another model leaves out and adds', async () => {
    expect(await refusal({ 'config.json': { ...SMALL_CONFIG, num_hidden_layers: 3 } })).to.match(
      /^loadPretrainedFrom: SRC must hold every tensor of LlamaForCausalLM, got none of "model\.layers\.2\.input_layernorm\.weight", (".*", ){3}"[^"]*" and 4 more; use a complete copy of the checkpoint and its own config\.json$/,
    );
    expect(await refusal({ 'config.json': { ...SMALL_CONFIG, num_hidden_layers: 1 } })).to.match(
      /^loadPretrainedFrom: SRC must hold only the tensors of LlamaForCausalLM with this config\.json, got "model\.layers\.1\.input_layernorm\.weight", .* and 4 more as well; use the config\.json of the same checkpoint$/,
    );
    expect(await refusal({ 'config.json': { ...SMALL_CONFIG, num_key_value_heads: 3 } })).to.equal(
      'loadPretrainedFrom: config.json of SRC says that "model.layers.0.self_attn.k_proj.weight" is [12, 12], got [4, 12] in model.safetensors; use the config.json of the same checkpoint',
    );
    expect(await refusal({ 'model.safetensors': safetensorsOf(without('model.norm.weight')) })).to.equal(
      'loadPretrainedFrom: SRC must hold every tensor of LlamaForCausalLM, got none of "model.norm.weight"; use a complete copy of the checkpoint and its own config.json',
    );
  });

  it('passes over tensors that carry nothing, of whatever type', async () => {
    const [buffer] = [{ shape: [2], values: Float32Array.of(7, 7) }];
    const { model } = await loadPretrainedFrom(
      memorySource({
        ...files,
        'model.safetensors': safetensorsOf(
          new Map([...tensors, ['model.layers.0.self_attn.rotary_emb.inv_freq', buffer]]),
        ),
      }),
    );
    disposeModel(model);
    expect(
      await refusal({
        'model.safetensors': safetensorsOf(new Map([...tensors, ['model.layers.0.self_attn.q_proj.bias', buffer]])),
      }),
    ).to.contain('got "model.layers.0.self_attn.q_proj.bias" as well');
  });

  describe('with tensors that the model has no place for', () => {
    const head = { shape: [1, 12], values: new Float32Array(12).fill(7) };
    const value = new Map([...tensors, ['v_head.summary.weight', head], ['v_head.summary.bias', head]]);
    const stored = { ...files, 'model.safetensors': safetensorsOf(value) };
    const load = async (
      ignoreUnexpected?: TensorNames,
      own: Record<string, Uint8Array | object> = stored,
    ): ReturnType<typeof loadPretrainedFrom> =>
      await loadPretrainedFrom(memorySource(own, 'SRC'), { ignoreUnexpected });

    it('says what a value head is, and how to leave it out', async () => {
      expect(await refusal(stored)).to.equal(
        'loadPretrainedFrom: SRC must hold only the tensors of LlamaForCausalLM with this config.json, got ' +
          '"v_head.summary.weight", "v_head.summary.bias" as well; that is the value head that TRL adds for ' +
          'reinforcement learning: leave it out with ignoreUnexpected: /^v_head\\./',
      );
    });

    it('leaves out those that a name, a pattern or a list allows, and names them', async () => {
      const plain = await load([], files);
      const names = ['v_head.summary.weight', 'v_head.summary.bias'];
      for (const allowed of [/^v_head\./, /V_HEAD/gi, names, [names[0], /bias$/]]) {
        const { model, ignored } = await load(allowed);
        expect(ignored).to.deep.equal(names);
        expect(logitsOf(model)).to.deep.equal(logitsOf(plain.model));
        disposeModel(model);
      }
      expect(plain.ignored).to.deep.equal([]);
      disposeModel(plain.model);
    });

    it('refuses the others, and loads what the model needs whatever the pattern', async () => {
      expect(await messageOf(load('v_head.summary.bias'))).to.contain('got "v_head.summary.weight" as well; that is');
      expect(await messageOf(load(/bias$/))).to.contain('got "v_head.summary.weight" as well');
      const stray = safetensorsOf(new Map([...value, ['extra', head]]));
      expect(await messageOf(load([], { ...files, 'model.safetensors': stray }))).to.equal(
        'loadPretrainedFrom: SRC must hold only the tensors of LlamaForCausalLM with this config.json, got ' +
          '"v_head.summary.weight", "v_head.summary.bias", "extra" as well; use the config.json of the same checkpoint',
      );
      const { model, ignored } = await load(/./);
      expect(ignored).to.have.length(2);
      disposeModel(model);
      expect(
        await messageOf(load(/./, { ...files, 'model.safetensors': safetensorsOf(without('model.norm.weight')) })),
      ).to.contain('got none of "model.norm.weight"');
      expect(await messageOf(load(7 as unknown as string))).to.equal(
        'loadPretrainedFrom: ignoreUnexpected must be a name, a pattern or a list of them, got 7',
      );
    });
  });

  describe('with a config that ties head and embedding', () => {
    const tied = { ...SMALL_CONFIG, tie_word_embeddings: true };
    const embedding = tensors.get('model.embed_tokens.weight') as StoredTensor;
    const load = async (stored: Map<string, StoredTensor>): ReturnType<typeof loadPretrainedFrom> =>
      await loadPretrainedFrom(memorySource({ 'config.json': tied, 'model.safetensors': safetensorsOf(stored) }));

    it('needs no head, and passes over one that is equal', async () => {
      const [none, equal] = [
        await load(without('lm_head.weight')),
        await load(new Map([...tensors, ['lm_head.weight', embedding]])),
      ];
      expect(logitsOf(equal.model)).to.deep.equal(logitsOf(none.model));
      for (const { model, config } of [none, equal]) {
        expect(model.weights.map(({ originalName }) => originalName)).to.not.include('lm_head/weight');
        expect(config.tie_word_embeddings).to.equal(true);
        disposeModel(model);
      }
    });

    it('gives the model a head of its own where the checkpoint has another one, and says so in the config', async () => {
      const [different, untied] = [await load(tensors), await loadPretrainedFrom(memorySource(files))];
      expect(different.config.tie_word_embeddings).to.equal(false);
      expect(logitsOf(different.model)).to.deep.equal(logitsOf(untied.model));
      [different, untied].forEach(({ model }) => disposeModel(model));
    });

    it('takes the head for the embedding where the checkpoint has only that', async () => {
      const renamed = await load(
        new Map([...without('lm_head.weight', without('model.embed_tokens.weight')), ['lm_head.weight', embedding]]),
      );
      const usual = await load(without('lm_head.weight'));
      expect(logitsOf(renamed.model)).to.deep.equal(logitsOf(usual.model));
      [renamed, usual].forEach(({ model }) => disposeModel(model));
    });
  });

  it('reads names of the bare backbone', async () => {
    const tied = { ...SMALL_CONFIG, tie_word_embeddings: true };
    const bare = new Map(
      [...without('lm_head.weight')].map(([name, tensor]) => [name.replace(/^model\./, ''), tensor]),
    );
    const one = await loadPretrainedFrom(
      memorySource({ 'config.json': tied, 'model.safetensors': safetensorsOf(bare) }),
    );
    const other = await loadPretrainedFrom(
      memorySource({ 'config.json': tied, 'model.safetensors': safetensorsOf(without('lm_head.weight')) }),
    );
    expect(logitsOf(one.model)).to.deep.equal(logitsOf(other.model));
    [one, other].forEach(({ model }) => disposeModel(model));
  });

  it('hands out generation_config.json and never reads it', async () => {
    const generation = { temperature: 0.1, num_beams: 7 };
    const [given, none] = [
      await loadPretrainedFrom(memorySource({ ...files, 'generation_config.json': generation })),
      await loadPretrainedFrom(memorySource(files)),
    ];
    expect(given.generationConfig).to.deep.equal(generation);
    expect(logitsOf(given.model)).to.deep.equal(logitsOf(none.model));
    [given, none].forEach(({ model }) => disposeModel(model));
  });

  it('says that Git LFS has not downloaded a file', async () => {
    const pointer = new TextEncoder().encode(
      'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n',
    );
    const names = ['config.json', 'model.safetensors', 'tokenizer.json', 'generation_config.json'];
    for (const file of names)
      expect(await refusal({ [file]: pointer })).to.equal(
        `loadPretrainedFrom: ${file} of SRC must be the file itself, got the pointer that Git LFS leaves in its place; ` +
          'run "git lfs pull" in the clone, or download the file',
      );
    const tokenizer = { 'tokenizer.json': JSON.parse(readFileSync(`${CHECKPOINTS}/gpt2/tokenizer.json`, 'utf8')) };
    for (const file of ['tokenizer_config.json', 'chat_template.jinja'])
      expect(await refusal({ ...tokenizer, [file]: pointer })).to.contain(`${file} of SRC must be the file itself`);
    const index = { 'config.json': SMALL_CONFIG, 'model.safetensors.index.json': pointer };
    expect(await messageOf(loadPretrainedFrom(memorySource(index, 'SRC')))).to.contain('index.json of SRC must be the');
    const shards = {
      ...index,
      'model.safetensors.index.json': { weight_map: { a: 'b.safetensors' } },
      'b.safetensors': pointer,
    };
    expect(await messageOf(loadPretrainedFrom(memorySource(shards, 'SRC')))).to.contain(
      'b.safetensors of SRC must be the',
    );
  });

  it('says which weights in another format a folder has', async () => {
    const other = { 'config.json': SMALL_CONFIG, 'pytorch_model.bin': new Uint8Array(9) };
    expect(await messageOf(loadPretrainedFrom(memorySource(other, 'SRC')))).to.equal(
      'loadPretrainedFrom: SRC must have model.safetensors or model.safetensors.index.json, got pytorch_model.bin; ' +
        "convert other formats with transformers' save_pretrained",
    );
  });

  it('refuses a folder that is no checkpoint, and architectures that are not known', async () => {
    const message = async (own: Record<string, object>): Promise<string> =>
      await messageOf(loadPretrainedFrom(memorySource(own, 'SRC')));
    expect(await message({})).to.equal(
      "loadPretrainedFrom: SRC must have config.json, got no such file; give the folder, URL or id of a checkpoint in Hugging Face's layout",
    );
    expect(await message({ 'adapter_config.json': {} })).to.equal(
      'loadPretrainedFrom: SRC must have config.json, got no such file; it is an adapter: load its base model first, then the adapter with loadAdapter',
    );
    expect(await refusal({ 'config.json': { ...SMALL_CONFIG, model_type: 'bert' } })).to.match(
      /^loadPretrainedFrom: model_type in SRC\/config\.json must be one of llama, .*, got "bert"; use a checkpoint of one of these families$/,
    );
    expect(await refusal({ 'tokenizer.json': { model: {} } })).to.contain(
      'TextTokenizer.fromJSON: tokenizer.json must have a model with a vocab',
    );
  });

  it('frees everything when a file turns out damaged half-way', async () => {
    const source = memorySource(files, 'SRC');
    const read = source.read.bind(source);
    let calls = 0;
    source.read = async (file, start, end) =>
      await read(file, start, file === 'model.safetensors' && ++calls === 9 ? (end as number) - 1 : end);
    const before = tf.memory().numTensors;
    expect(await messageOf(loadPretrainedFrom(source))).to.match(
      /^loadPretrainedFrom: model\.safetensors of SRC must be whole, got its end within ".*"; use another copy of it$/,
    );
    expect(tf.memory().numTensors).to.equal(before);
  });

  it('refuses what the heap of wasm has no room for', async () => {
    await tf.setBackend('wasm');
    await tf.ready();
    const engine = tf.engine();
    const info = engine.memory();
    engine.memory = () => ({ ...info, numBytes: 4032 * 2 ** 20 - 5000 });
    try {
      expect(await messageOf(loadPretrainedFrom(memorySource(files)))).to.match(
        /^loadPretrainedFrom: the wasm backend has 4\.9 KiB left, but 9\.\d KiB are needed /,
      );
    } finally {
      Reflect.deleteProperty(engine, 'memory');
      await tf.setBackend('cpu');
    }
  });

  it('refuses a model that the memory does not hold before it reads a weight', async () => {
    const source = memorySource(files, 'SRC');
    const bytes = 4 * [...tensors.values()].reduce((sum, { values }) => sum + values.length, 0);
    expect(await messageOf(loadPretrainedFrom(source, { maxBytes: bytes - 1 }))).to.match(
      /^loadPretrainedFrom: the (cpu|wasm) backend has 9\.\d KiB left, but 9\.\d KiB are needed \(weights 9\.\d KiB\); its weights alone are 9\.\d KiB: use a smaller checkpoint or a backend with more memory$/,
    );
    expect(source.reads.filter(({ file }) => file === 'model.safetensors')).to.have.length(2); // the header
    disposeModel((await loadPretrainedFrom(source, { maxBytes: bytes })).model);
  });
});

describe('loadPretrained', () => {
  const folder = temporaryFolder();

  for (const name of readdirSync(CHECKPOINTS)) {
    it(`loads ${name} as its tokenizer, config and generation config say`, async () => {
      const at = `${CHECKPOINTS}/${name}`;
      const { model, tokenizer, config, generationConfig } = await loadPretrained(at);
      expect(config).to.deep.equal(JSON.parse(readFileSync(`${at}/config.json`, 'utf8')));
      expect(generationConfig).to.deep.equal(JSON.parse(readFileSync(`${at}/generation_config.json`, 'utf8')));
      const golden = JSON.parse(readFileSync(`${at}/golden.json`, 'utf8')) as {
        tokenizer?: { text: string; ids: number[]; decoded: string }[];
      };
      for (const { text, ids, decoded } of golden.tokenizer ?? []) {
        expect([...(tokenizer?.encode(text) ?? [])], text).to.deep.equal(ids);
        expect(tokenizer?.decode(ids), text).to.equal(decoded);
      }
      expect(tokenizer === null).to.equal(golden.tokenizer == null || golden.tokenizer.length === 0);
      disposeModel(model);
    });
  }

  it('refuses what the machine has no memory left for, and loads it where told that there is', async () => {
    const at = `${CHECKPOINTS}/smollm2`;
    const { availableMemory } = process as { availableMemory?: () => number };
    Object.assign(process, { availableMemory: () => 5000 });
    try {
      expect(await messageOf(loadPretrained(at))).to.match(
        /^loadPretrained: the (cpu|wasm|node) backend has 4\.9 KiB left, but .* are needed /,
      );
      disposeModel((await loadPretrained(at, { maxBytes: 1e9 })).model);
    } finally {
      Object.assign(process, { availableMemory });
    }
  });

  it('says what a location may be', async () => {
    const path = `${folder.path}/nothing here`;
    expect(await messageOf(loadPretrained(path))).to.equal(
      `loadPretrained: location must be a folder, a URL or a hub id such as "owner/name", got no folder at ${path}; check the path`,
    );
    expect(await messageOf(loadPretrained(`${CHECKPOINTS}/gpt2/config.json`))).to.contain('got the file');
    expect(await messageOf(loadPretrained('../secret'))).to.contain('got no folder at ../secret');
  });
});
