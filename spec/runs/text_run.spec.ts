import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { expect } from 'chai';
import { readLog } from '../../src/runs/run_log';
import type { MethodName } from '../../src/methods/registry';
import { readManifest } from '../../src/runs/manifest';
import { needFolder, runPaths } from '../../src/runs/run_paths';
import { resolveConfig, type TrainConfigInput } from '../../src/methods/train_config';
import { loadPrepared } from '../../src/preparation/prepared_folder_node';
import { loadPretrained } from '../../src/pretrained/load_pretrained_node';
import { initialRows } from '../../src/prompts/initial_rows';
import type { LcRecLanguage } from '../../src/prompts/lc_rec_language';
import { disposeModel } from '../../src/models/dispose_model';
import { evaluateRun } from '../../src/runs/evaluate_run';
import { loadRun } from '../../src/runs/load_run';
import { runFiles } from '../../src/runs/method_files';
import { recommend } from '../../src/runs/recommend_run';
import { refuseLargeTraining } from '../../src/methods/refusals';
import { buildTextModel, readTemplates } from '../../src/methods/text_model';
import { trainingData } from '../../src/methods/training_data';
import { trainRun, type TrainRunOptions, type TrainRunResult } from '../../src/runs/train_run';
import '../support/backends';
import { messageOf, temporaryFolder } from '../support/folders';
import { smallConfig, writeSmallShop } from '../support/small_shop';

const lcRec: TrainConfigInput = {
  items: { style: 'lc-rec', vocabSize: 300, maxPromptTokens: 110, maxTitleTokens: 8 },
  training: { epochs: 1, batchSize: 64 },
};
const bigRec: TrainConfigInput = { ...lcRec, items: { ...lcRec.items, style: 'bigrec' } };

describe('trainRun over text', () => {
  const folder = temporaryFolder();
  let data = '';
  before(async () => await tf.setBackend('wasm'));
  beforeEach(async () => {
    data = join(folder.path, 'data');
    await writeSmallShop(data);
  });

  async function run(
    method: MethodName,
    config: TrainConfigInput,
    { name = method, ...options }: { name?: string } & Partial<Omit<TrainRunOptions, 'config'>> = {},
  ): Promise<TrainRunResult> {
    return await trainRun({ data, out: join(folder.path, name), method, config: smallConfig(config), ...options });
  }

  for (const [style, config] of Object.entries({ 'lc-rec': lcRec, bigrec: bigRec })) {
    it(`writes all that evaluate and recommend need, and a checkpoint that can be loaded: ${style}`, async () => {
      const before = tf.memory().numTensors;
      const { run: out, manifest } = await run('ilrec', config);
      expect(manifest).to.deep.include({ method: 'ilrec', status: 'done' });
      const steps = (await readLog(runPaths(out).log)).filter(({ kind }) => kind === 'step');
      expect(steps.at(-1)).to.have.property('crr').that.is.above(0); // the reward finds the histories of the prompts
      const { users, invalidItems } = await evaluateRun({ run: out });
      expect({ users, invalidItems }).to.deep.equal({ users: 30, invalidItems: 0 });
      const { items, dispose } = await loadRun(out);
      dispose();
      const recommended = await recommend({ run: out, history: [items[3].id, items[7].id], k: 4, seen: 'exclude' });
      expect(recommended.map(({ title }) => typeof title)).to.deep.equal(Array(4).fill('string'));
      const { model, tokenizer, config: json } = await loadPretrained(runPaths(out).model);
      expect(json).to.include({ model_type: 'llama', vocab_size: tokenizer?.vocabSize });
      disposeModel(model);
      expect(tf.memory().numTensors).to.equal(before);
    });
  }

  it("continues from another run's checkpoint with an adapter, and trains only that and the new rows", async () => {
    const { run: base, manifest: whole } = await run('sft', bigRec, { name: 'base' });
    const backbone = {
      pretrained: runPaths(base).model,
      lora: { rank: 2, alpha: 4, targets: ['q_proj', 'down_proj'] },
      gradientCheckpointing: true,
    };
    const before = tf.memory().numTensors;
    const { run: out, manifest } = await run(
      'ilrec',
      { ...lcRec, backbone, training: { epochs: 1, batchSize: 16, gradientAccumulation: 3 } },
      { name: 'adapted' },
    );
    expect(manifest.status).to.equal('done');
    expect(manifest.parameters).to.be.below(whole.parameters);
    expect(tf.memory().numTensors).to.equal(before);
    expect(JSON.parse(await readFile(join(out, 'adapter/adapter_config.json'), 'utf8'))).to.deep.include({
      peft_type: 'LORA',
      r: 2,
      lora_alpha: 4,
      modules_to_save: ['model.embed_tokens', 'lm_head'],
    });
    expect((await evaluateRun({ run: out, users: 5 })).invalidItems).to.equal(0);
  });

  it('starts the rows of new tokens from the titles or the levels, as newRows says', async () => {
    const { run: base } = await run('sft', bigRec, { name: 'base' });
    const prepared = await loadPrepared(data);
    const tableOf = (model: tfl.LayersModel): tf.Tensor2D =>
      model.getLayer('embed_tokens').weights[0].read() as tf.Tensor2D;
    const [plain, files] = [await loadPretrained(runPaths(base).model), runFiles(folder.path)];
    for (const newRows of ['titles', 'level'] as const) {
      const config = resolveConfig(
        smallConfig({ ...lcRec, items: { ...lcRec.items, newRows }, backbone: { pretrained: runPaths(base).model } }),
        prepared,
      );
      const { model, language } = await buildTextModel(config, prepared, await readTemplates(config, files), files);
      const { ids, values } = await initialRows(tableOf(plain.model), language as LcRecLanguage, {
        strategy: newRows,
        seed: config.seed,
      });
      const rows = tf.tidy(() => tf.gather(tableOf(model), ids).dataSync());
      expect([...rows], newRows).to.deep.equal([...values]);
      disposeModel(model);
    }
    disposeModel(plain.model);
  });

  it('stops when asked to, and resumes with the same losses and weights, adapter and accumulation included', async () => {
    const { run: base } = await run('sft', bigRec, { name: 'base' });
    const config: TrainConfigInput = {
      ...lcRec,
      backbone: { pretrained: runPaths(base).model, lora: { rank: 2, dropout: 0.1, trainModules: ['embed_tokens'] } },
      training: { epochs: 2, batchSize: 64, gradientAccumulation: 2 },
    };
    const whole = await run('ilrec', config, { name: 'whole' });
    const controller = new AbortController();
    const first = await run('ilrec', config, {
      name: 'cut',
      signal: controller.signal,
      callbacks: () => [{ onStep: ({ step }) => (step === 3 ? controller.abort() : undefined) }],
    });
    expect(first.manifest).to.deep.include({ status: 'interrupted', steps: 3 });
    const rest = await run('ilrec', config, { name: 'cut', resume: true });
    expect(await losses(rest.run)).to.deep.equal(await losses(whole.run));
    const [expected, actual] = await Promise.all(
      [whole, rest].map(async ({ run: out }) => await readFile(join(out, 'model/model.safetensors'))),
    );
    expect(actual.equals(expected)).to.equal(true);
  });

  it('refuses a training that would not fit, before its first step, and says what would', async () => {
    const prepared = await loadPrepared(data);
    const [config, files] = [resolveConfig(smallConfig(bigRec), prepared), runFiles(folder.path)];
    const text = await buildTextModel(config, prepared, await readTemplates(config, files), files);
    const refuse = (bytes: number): void =>
      refuseLargeTraining(
        config,
        trainingData(prepared),
        text,
        { name: 'the wasm backend', bytes, tensorBytes: Infinity },
        config.methods.ilrec.numNegativeLayers,
      );
    expect(() => refuse(1e9)).to.not.throw();
    expect(() => refuse(2e7)).to.throw(
      /^trainRun: the wasm backend has 19\.1 MiB left, but \d+\.\d MiB are needed \(weights .*, loss .*\); gradient checkpointing and batchSize 16 would fit$/,
    );
    disposeModel(text.model);
  });

  it('refuses an adapter on a tied head before training, since it could not be merged after it', async () => {
    const before = tf.memory().numTensors;
    const backbone: TrainConfigInput['backbone'] = {
      pretrained: 'spec/golden/checkpoints/smollm2',
      lora: { rank: 2, targets: ['q_proj', 'lm_head/weight'] },
    };
    expect(await messageOf(run('sft', { ...bigRec, backbone }))).to.equal(
      'trainRun: backbone.lora.targets must leave out a head that is tied to the embedding, since it cannot be merged at the end of the run, got "lm_head/weight"; put "embed_tokens" into backbone.lora.trainModules instead',
    );
    expect(tf.memory().numTensors).to.equal(before);
    expect(existsSync(join(folder.path, 'sft'))).to.equal(false);
  });

  it('trains a checkpoint for 3 epochs where the config does not say, and its reward for as many as the data need', async () => {
    const controller = new AbortController();
    const { manifest, run: out } = await run(
      'ilrec',
      {
        ...bigRec,
        backbone: { pretrained: 'spec/golden/checkpoints/smollm2' },
        methods: { ilrec: { reward: 'sasrec' } },
        training: { epochs: undefined, batchSize: 64, patience: 1, learningRate: 1e-12 },
      },
      {
        signal: controller.signal,
        callbacks: (label) => [{ onStep: () => (label === 'ilrec' ? controller.abort() : undefined) }],
      },
    );
    expect(manifest.chosen).to.deep.equal({ epochs: 3, evaluateEvery: 1 });
    const reward = await readManifest(needFolder(out, 'reward'));
    expect(reward.chosen).to.deep.equal({ epochs: 100, evaluateEvery: 5 }); // 50 rows are one step
  });

  it('frees a checkpoint whose adapter or prompts it refuses', async () => {
    const before = tf.memory().numTensors;
    const pretrained = 'spec/golden/checkpoints/smollm2';
    const wrong = { ...bigRec, backbone: { pretrained, lora: { rank: 2, targets: ['nothing'] } } };
    expect(await messageOf(run('sft', wrong))).to.match(/nothing/);
    const short = { ...bigRec, items: { ...bigRec.items, maxPromptTokens: 1 }, backbone: { pretrained } };
    expect(await messageOf(run('sft', short))).to.match(/^titleLanguage: a prompt must/);
    expect(tf.memory().numTensors).to.equal(before);
  });

  it('keeps the templates it was trained with, also when their file is gone', async () => {
    const prompts = join(folder.path, 'prompts.json');
    await writeFile(prompts, JSON.stringify({ tasks: { nextItem: { templates: ['After {history:title} comes '] } } }));
    const { run: out } = await run('sft', { ...bigRec, items: { ...bigRec.items, prompts } });
    await writeFile(prompts, '{');
    expect(existsSync(join(out, 'prompts.json'))).to.equal(true);
    expect((await evaluateRun({ run: out, users: 3 })).users).to.equal(3);
    expect(await messageOf(run('sft', { ...bigRec, items: { ...bigRec.items, prompts } }, { name: 'other' }))).to.match(
      /^items\.prompts must be JSON, got .* at line 1, column 2 of .*prompts\.json; fix it there$/,
    );
    expect(existsSync(join(folder.path, 'other', 'manifest.json'))).to.equal(false);
  });
});

async function losses(out: string): Promise<number[]> {
  return (await readLog(runPaths(out).log)).flatMap((line) => (line.kind === 'step' ? [line.loss] : []));
}
