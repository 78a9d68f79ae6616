import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import type { Baselines } from '../../src/recommender/baselines';
import { readLog } from '../../src/runs/run_log';
import type { SeenChoice } from '../../src/data/repeat_share';
import type { MethodName } from '../../src/methods/registry';
import { needFolder, runPaths } from '../../src/runs/run_paths';
import { readManifest, type RunManifest, writeManifest } from '../../src/runs/manifest';
import type { TrainConfig, TrainConfigInput } from '../../src/methods/train_config';
import { evaluateRun } from '../../src/runs/evaluate_run';
import { loadRun } from '../../src/runs/load_run';
import { recommend } from '../../src/runs/recommend_run';
import { trainRun, type TrainRunOptions, type TrainRunResult } from '../../src/runs/train_run';
import { forEachBackend } from '../support/backends';
import { messageOf, temporaryFolder } from '../support/folders';
import { smallConfig, writeSmallShop } from '../support/small_shop';

describe('trainRun', () => {
  const folder = temporaryFolder();
  let data = '';
  beforeEach(async () => {
    data = join(folder.path, 'data');
    await writeSmallShop(data);
  });

  async function run(
    method: MethodName,
    {
      name = method,
      config = {},
      ...options
    }: { name?: string; config?: TrainConfigInput } & Partial<Omit<TrainRunOptions, 'config'>> = {},
  ): Promise<TrainRunResult> {
    return await trainRun({ data, out: join(folder.path, name), method, config: smallConfig(config), ...options });
  }

  before(async () => await tf.setBackend('wasm'));

  forEachBackend((backend) => {
    const methods: readonly MethodName[] =
      backend === 'cpu' ? ['sft'] : ['popularity', 'markov', 'sasrec', 'sft', 'ilrec']; // the cpu backend is slow
    const languageModels = methods.filter((name) => name === 'sft' || name === 'ilrec');
    it(`writes all that evaluate and recommend need: ${methods.join(', ')}`, async () => {
      for (const [method, style] of [
        ...methods.map((name) => [name, 'items'] as const),
        ...languageModels.map((name) => [name, 'ids'] as const),
      ]) {
        const tensorsBefore = tf.memory().numTensors;
        const { run: out, manifest } = await run(method, {
          name: `${method}-${style}`,
          config: { items: { style }, training: { epochs: 1 } },
        });
        expect(manifest).to.deep.include({ method, status: 'done', seed: 0, backend });
        expect(manifest.validation?.best?.metrics).to.have.property('ndcg@10');
        const evaluation = await evaluateRun({ run: out });
        expect(evaluation.users).to.equal(30);
        expect(evaluation.invalidItems).to.equal(0);
        expect(evaluation.protocol.excludeSeen).to.equal(true); // nobody in the shop takes an item twice
        const valid = await evaluateRun({ run: out, split: 'valid', users: 10 });
        expect(manifest.validation?.best?.metrics['ndcg@10'], 'the same rule').to.equal(valid['ndcg@10']);
        const again = await evaluateRun({ run: out, seen: 'allow', users: 9 });
        expect(again.protocol.excludeSeen).to.equal(false);
        expect(existsSync(join(out, 'evaluation-test-with-seen-9-users.json'))).to.equal(true);
        const { items, dispose } = await loadRun(out);
        dispose();
        const recommended = await recommend({ run: out, history: [items[3].id, items[7].id], k: 4 });
        expect(recommended).to.have.length(4);
        expect(recommended.map(({ id }) => id)).to.not.include(items[3].id);
        expect(recommended[0].title).to.be.a('string');
        expect(tf.memory().numTensors, `tensors after ${method} of ${style}`).to.equal(tensorsBefore);
      }
    });
  });

  it('says once which rule for items seen the data chose, and keeps it in the config', async () => {
    const choices: SeenChoice[] = [];
    const onSeenRule = (choice: SeenChoice): number => choices.push(choice);
    const short: TrainConfigInput = { training: { epochs: 1 }, methods: { ilrec: { reward: 'sasrec' } } };
    const { run: out } = await run('ilrec', { config: short, onSeenRule });
    expect(choices).to.deep.equal([{ seen: 'exclude', repeatShare: 0 }]); // not again for the reward
    for (const folder of [out, needFolder(out, 'reward')]) expect(await seenOf(folder)).to.equal('exclude');
    await run('ilrec', { config: short, resume: true, onSeenRule });
    await run('markov', { seen: 'allow', onSeenRule });
    expect(await seenOf(join(folder.path, 'markov'))).to.equal('allow');
    expect(choices).to.have.length(1);
  });

  it('evaluates, resumes and recommends from an older run as before, by the rule that it has', async () => {
    const { run: out, manifest } = await run('sft', { config: { evaluation: { seen: 'allow' } } });
    const { ranks } = await evaluateRun({ run: out });
    const { seen: _, ...evaluation } = (await configOf(out)).evaluation;
    await writeFile(
      runPaths(out).config,
      JSON.stringify({ ...(await configOf(out)), evaluation: { ...evaluation, excludeSeen: false } }),
    );
    const older = await evaluateRun({ run: out });
    expect(older.protocol.excludeSeen).to.equal(false);
    expect(older.ranks).to.deep.equal(ranks);
    const unseen = await evaluateRun({ run: out, excludeSeen: true });
    expect(unseen.protocol.excludeSeen).to.equal(true);
    expect(unseen.ranks).to.not.deep.equal(ranks);
    expect(existsSync(join(out, 'evaluation-test-exclude-seen.json'))).to.equal(true);
    expect(await messageOf(evaluateRun({ run: out, seen: 'allow', excludeSeen: true }))).to.equal(
      'evaluateRun: excludeSeen must agree with seen, got true beside seen allow; give seen alone',
    );
    await loseModel(out);
    expect((await run('sft', { resume: true })).manifest.validation).to.deep.equal(manifest.validation);
    const { items, dispose } = await loadRun(out);
    dispose();
    const history = [items[3].id, items[7].id];
    const listOf = async (options: { excludeSeen?: boolean } = {}): Promise<string[]> =>
      (await recommend({ run: out, history, k: 40, ...options })).map(({ id }) => id);
    expect(await listOf({ excludeSeen: true })).to.not.include.members([history[0]]);
    expect(await listOf({ excludeSeen: false })).to.deep.equal(await listOf());
  });

  it("logs every step with ILRec's metrics, and every evaluation", async () => {
    const { run: out, manifest } = await run('ilrec');
    const log = await readLog(runPaths(out).log);
    const epoch = [...Array<string>(7).fill('step'), 'evaluation'];
    expect(log.map(({ kind }) => kind)).to.deep.equal([...epoch, ...epoch]);
    expect(log[0]).to.include.keys(
      'crossEntropy',
      'cpo',
      'cpd',
      'crr',
      'numNegatives',
      'penaltyMass',
      'loss',
      'learningRate',
      'tokensPerSecond',
      'klPerLayer',
    );
    expect(manifest).to.deep.include({ steps: 14, stepsPerEpoch: 7 });
  });

  it('stops when asked to, and resumes with the same losses', async () => {
    const whole = await run('ilrec', { name: 'whole' });
    const controller = new AbortController();
    const stopAt = (step: number): Partial<TrainRunOptions> => ({
      signal: controller.signal,
      callbacks: () => [{ onStep: (record) => (record.step === step ? controller.abort() : undefined) }],
    });
    const first = await run('ilrec', { name: 'cut', ...stopAt(2) });
    expect(first.manifest).to.deep.include({ status: 'interrupted', steps: 2 });
    expect(await messageOf(loadRun(first.run))).to.match(
      /^loadRun: .*cut must be a finished run, got one that is interrupted; resume it with `ilrec train --resume/,
    );
    const rest = await run('ilrec', { name: 'cut', resume: true });
    expect(rest.manifest).to.deep.include({ status: 'done', steps: 14 });
    expect(await losses(rest.run)).to.deep.equal(await losses(whole.run));
    expect(await weights(rest.run)).to.deep.equal(await weights(whole.run));
  });

  it('resumes with the same losses after being killed twice in the middle of an epoch', async () => {
    const whole = await run('ilrec', { name: 'whole' });
    const out = join(folder.path, 'killed');
    await mkdir(out);
    for (const step of [3, 9]) await trainUntilKilled(data, out, 'ilrec', step);
    expect(JSON.parse(await readFile(runPaths(out).manifest, 'utf8'))).to.deep.include({ status: 'running' });
    const rest = await run('ilrec', { name: 'killed', resume: true });
    expect(rest.manifest).to.deep.include({ status: 'done', steps: 14 });
    expect(await losses(out)).to.deep.equal(await losses(whole.run));
    expect(await weights(out)).to.deep.equal(await weights(whole.run));
    expect(rest.manifest.validation).to.deep.equal(whole.manifest.validation);
  });

  it('makes the last step, of fewer batches, after being killed between the last checkpoint and the model', async () => {
    for (const clipNorm of [0, 1]) {
      const name = `clipped by ${clipNorm}`;
      const { run: out, manifest } = await run('sft', { name, config: accumulated(clipNorm) });
      expect(manifest.steps).to.equal(14); // three and a half steps of the optimizer
      const whole = await weights(out);
      await loseModel(out);
      expect((await run('sft', { name, resume: true, config: accumulated(clipNorm) })).manifest.status).to.equal(
        'done',
      );
      expect(await weights(out)).to.deep.equal(whole);
    }
  });

  it('starts from the weights of another run', async () => {
    const first = await run('sft');
    const { run: out } = await run('ilrec', {
      config: { training: { initialWeights: first.run, learningRate: 1e-12, epochs: 1 } },
    });
    const [expected, actual] = [await weights(first.run), await weights(out)];
    actual.forEach((value, i) => expect(value).to.be.closeTo(expected[i], 1e-6));
  });

  it('ends early, and keeps the best weights, where validation gets no better', async () => {
    const config: TrainConfigInput = {
      training: { epochs: 9, patience: 1, learningRate: 1e-12, gradientAccumulation: 4 },
    };
    const { run: out, manifest } = await run('sft', { config });
    expect(manifest).to.deep.include({ status: 'done', steps: 14 }); // the second evaluation is like the first
    expect(manifest.validation?.bestStep).to.equal(7);
    const best = await weights(out);
    await loseModel(out);
    expect((await run('sft', { resume: true, config })).manifest).to.deep.include({
      status: 'done',
      steps: 14,
      validation: manifest.validation,
    });
    expect(await weights(out)).to.deep.equal(best);
  });

  it('chooses epochs for the number of batches, keeps them in the config, and resumes with that config', async () => {
    const still = { learningRate: 1e-12, patience: 1 }; // ends after two evaluations
    const config: TrainConfigInput = {
      training: { epochs: undefined, ...still },
      methods: { ilrec: { reward: 'sasrec' }, sasrec: { training: { batchSize: 1 } } },
    };
    const controller = new AbortController();
    const { run: out, manifest } = await run('ilrec', {
      config,
      signal: controller.signal,
      callbacks: (label) => [{ onStep: () => (label === 'ilrec' ? controller.abort() : undefined) }],
    });
    expect(manifest).to.deep.include({ status: 'interrupted', steps: 1, stepsPerEpoch: 7 });
    expect(manifest.chosen).to.deep.equal({ epochs: 100, evaluateEvery: 5 }); // 1000 / 7 is above 100
    const reward = await readManifest(needFolder(out, 'reward'));
    expect(reward.stepsPerEpoch).to.equal(50);
    expect(reward.chosen).to.deep.equal({ epochs: 20, evaluateEvery: 1 }); // 1000 / 50
    const kept = JSON.parse(await readFile(runPaths(out).config, 'utf8')) as TrainConfig;
    expect(kept.training).to.deep.include({ epochs: 100, evaluateEvery: 5 });
    expect(await messageOf(run('ilrec', { resume: true, config, epochs: 99 }))).to.match(
      /: epochs must be at least the 100 that the run at .* has, got 99; choose another folder for a shorter run$/,
    );
    expect((await trainRun({ data, out, method: 'ilrec', config: kept, resume: true })).manifest).to.deep.include({
      status: 'done',
      steps: 70, // evaluated after 5 and 10 epochs
      chosen: manifest.chosen,
    });
    expect((await run('ilrec', { resume: true, config })).manifest.status).to.equal('done');
  });

  it('trains SASRec for the reward inside the run where no finished one is named', async () => {
    const { run: out, manifest } = await run('ilrec', {
      config: { methods: { ilrec: { reward: 'sasrec' } }, training: { epochs: 1 } },
    });
    expect(manifest.status).to.equal('done');
    expect((await loadRun(needFolder(out, 'reward'))).manifest.method).to.equal('sasrec');
  });

  it('measures the counting methods and the reward on the same validation users', async () => {
    const seen: [string, Baselines][] = [];
    const { run: out, manifest } = await run('ilrec', {
      config: { methods: { ilrec: { reward: 'sasrec' } }, training: { epochs: 1 } },
      onEvaluation: (label, _, __, baselines) => void seen.push([label, baselines]),
    });
    const bestOf = ({ validation }: RunManifest): object | undefined => validation?.best?.metrics;
    const alone = [(await run('popularity')).manifest, (await run('markov')).manifest];
    const reward = await readManifest(needFolder(out, 'reward'));
    const counted = { popularity: bestOf(alone[0]), markov: bestOf(alone[1]) };
    expect(reward.validation?.baselines).to.deep.equal(counted);
    expect(manifest.validation?.baselines).to.deep.equal({ ...counted, sasrec: bestOf(reward) });
    expect(seen).to.deep.equal([
      ['reward', counted],
      ['ilrec', manifest.validation?.baselines],
    ]);
    expect(alone[0].validation).to.not.have.property('baselines');
    const unseen = await run('sft', { config: { training: { epochs: 1, validationUsers: 0 } } });
    expect(unseen.manifest.validation).to.equal(null);
  });

  it('resumes and asks a run whose files an older release wrote', async () => {
    const config: TrainConfigInput = { items: { style: 'ids' } };
    const whole = await run('ilrec', { name: 'whole', config });
    const controller = new AbortController();
    const callbacks: TrainRunOptions['callbacks'] = () => [
      { onStep: ({ step }) => (step === 5 ? controller.abort() : undefined) },
    ];
    const { run: out } = await run('ilrec', { name: 'old', config, signal: controller.signal, callbacks });
    const { methods, ...shared } = await configOf(out);
    const ilrec = without(methods.ilrec, 'futureTargets', 'rewardTargets', 'rewardTopK');
    const old = { ...without(shared, 'items'), method: ilrec, sasrec: methods.sasrec };
    await writeFile(runPaths(out).config, JSON.stringify(old, null, 2) + '\n');
    const items = (await readFile(runPaths(out).items, 'utf8')).replaceAll(/,"semanticId":\[[^\]]*\]/g, '');
    await writeFile(runPaths(out).items, items);
    const asked = without(smallConfig(config), 'items'); // the run says which style
    expect((await trainRun({ data, out, method: 'ilrec', config: asked, resume: true })).manifest.status).to.equal(
      'done',
    );
    expect(await losses(out)).to.deep.equal(await losses(whole.run));
    expect(await weights(out)).to.deep.equal(await weights(whole.run));
    expect((await evaluateRun({ run: out })).ranks).to.deep.equal((await evaluateRun({ run: whole.run })).ranks);
  });

  it('resumes whatever the sections of methods that it does not use say now', async () => {
    const controller = new AbortController();
    const callbacks: TrainRunOptions['callbacks'] = () => [{ onStep: () => controller.abort() }];
    await run('sft', { signal: controller.signal, callbacks });
    const config: TrainConfigInput = { methods: { ilrec: { penaltyWeight: 3 } } };
    expect((await run('sft', { resume: true, config })).manifest.status).to.equal('done');
  });

  it('weighs accumulated batches by their response positions: the step of one large batch', async () => {
    const config = (batchSize: number, gradientAccumulation: number): TrainConfigInput => ({
      model: { hiddenDropout: 0, embeddingDropout: 0, attentionDropout: 0 },
      training: { epochs: 4, batchSize, gradientAccumulation, validationUsers: 0 },
    });
    const large = await run('sft', { name: 'large', config: config(64, 1) });
    const small = await run('sft', { name: 'small', config: config(8, 7) });
    expect([large.manifest.steps, small.manifest.steps]).to.deep.equal([4, 28]);
    const expected = await weights(large.run);
    const difference = Math.max(...(await weights(small.run)).map((value, i) => Math.abs(value - expected[i])));
    expect(difference).to.be.below(1e-4);
  });

  it('refuses to overwrite a run, or to resume another one', async () => {
    const { run: out } = await run('sft');
    expect(await messageOf(run('sft'))).to.equal(
      `trainRun: ${out} already holds a run; resume it, or choose another folder`,
    );
    expect(await messageOf(run('ilrec', { name: 'sft', resume: true }))).to.equal(
      `trainRun: the run at ${out} must be resumed with its method, sft, got ilrec; choose another folder`,
    );
    const other: TrainConfigInput = {
      seed: 2,
      evaluation: { beamWidth: 6 },
      methods: { sft: { restrictTo: 'validItems' } },
    };
    expect(await messageOf(run('sft', { resume: true, config: other }))).to.equal(
      `trainRun: the run at ${out} was begun with another config: seed is 0 there and 2 here, evaluation.beamWidth is 5 ` +
        'there and 6 here, methods.sft.restrictTo is "vocabulary" there and "validItems" here; give the same values, or choose ' +
        'another folder',
    );
    expect(await messageOf(run('sft', { resume: true, config: { training: { epochs: 3 } } }))).to.equal(
      `trainRun: the run at ${out} was begun with another config: training.epochs is 2 there and 3 here; to train it ` +
        'for longer, ask for epochs; give the same values, or choose another folder',
    );
  });

  it('refuses to resume an unfinished run on another backend, and returns a finished one', async () => {
    const controller = new AbortController();
    const { run: out, manifest } = await run('sft', {
      signal: controller.signal,
      callbacks: () => [{ onStep: () => controller.abort() }],
    });
    expect(manifest.status).to.equal('interrupted');
    await tf.setBackend('cpu');
    try {
      expect(await messageOf(run('sft', { resume: true }))).to.equal(
        `trainRun: the run at ${out} must be resumed on the backend that it was begun on, wasm, got cpu; use the backend wasm, or choose another folder`,
      );
      await writeManifest(out, { ...manifest, backend: 'tensorflow' });
      expect(await messageOf(run('sft', { resume: true }))).to.match(
        /, tensorflow, got cpu; use the backend node-gpu or node, or choose another folder$/,
      );
      await writeManifest(out, { ...manifest, status: 'done' });
      expect((await run('sft', { resume: true })).manifest.backend).to.equal('wasm');
    } finally {
      await tf.setBackend('wasm');
    }
    await writeManifest(out, manifest);
    expect((await run('sft', { resume: true })).manifest).to.deep.include({ status: 'done', backend: 'wasm' });
  });

  it('leaves alone a folder that is no run', async () => {
    const out = join(folder.path, 'mine');
    await mkdir(join(out, 'model'), { recursive: true });
    await writeFile(join(out, 'model', 'weights'), 'precious');
    expect(await messageOf(run('sft', { name: 'mine' }))).to.equal(
      `trainRun: out must be a new or empty folder, or a run, got ${out}, which holds model; choose another folder`,
    );
    expect(await readFile(join(out, 'model', 'weights'), 'utf8')).to.equal('precious');
    expect(await messageOf(run('popularity', { name: 'data' }))).to.equal(
      `trainRun: out must be a new or empty folder, or a run, got ${data}, which holds dataset.json; choose another folder`,
    );
    expect((await run('popularity', { name: 'counts' })).manifest.status).to.equal('done'); // the dataset is as it was
    await mkdir(join(folder.path, 'settings'));
    await writeFile(join(folder.path, 'settings', 'config.json'), '{}');
    expect(await messageOf(run('sft', { name: 'settings' }))).to.match(
      /, which holds config\.json; choose another folder$/,
    );
    const file = join(data, 'dataset.json');
    expect(await messageOf(run('sft', { name: 'data/dataset.json' }))).to.equal(
      `trainRun: out must be a folder, got the file ${file}; choose another name`,
    );
    expect(await messageOf(run('sft', { name: 'data/dataset.json/run' }))).to.match(
      /^trainRun: out must be a folder that can be written, got .*run: ENOTDIR.*; choose another one$/,
    );
  });

  it('never takes a folder in which the user keeps a config of the same settings', async () => {
    const out = join(folder.path, 'mine');
    await mkdir(out);
    const text = JSON.stringify(smallConfig());
    await writeFile(runPaths(out).config, text);
    expect(await messageOf(run('sft', { name: 'mine' }))).to.match(
      /, which holds config\.json; choose another folder$/,
    );
    expect(await readFile(runPaths(out).config, 'utf8')).to.equal(text);
  });

  it('makes no folder for a dataset that it refuses', async () => {
    const out = join(folder.path, 'deep/run');
    expect(await messageOf(trainRun({ data: join(folder.path, 'none'), out, method: 'sft' }))).to.match(
      /`ilrec prepare`/,
    );
    expect(existsSync(join(folder.path, 'deep'))).to.equal(false);
  });

  it('resumes after the run whose weights it started from has gone', async () => {
    const first = await run('sft', { name: 'first' });
    const config: TrainConfigInput = { training: { initialWeights: first.run } };
    const controller = new AbortController();
    const callbacks: TrainRunOptions['callbacks'] = () => [{ onStep: () => controller.abort() }];
    await run('ilrec', { config, signal: controller.signal, callbacks });
    await rm(first.run, { recursive: true });
    expect((await run('ilrec', { config, resume: true })).manifest.status).to.equal('done');
  });

  it('tells a mistake in the model before the reward is trained, and leaves nothing behind', async () => {
    const tensorsBefore = tf.memory().numTensors;
    const labels: string[] = [];
    const wrong: TrainConfigInput = {
      model: { hiddenSize: 10, numAttentionHeads: 4 },
      methods: { ilrec: { reward: 'sasrec' } },
    };
    const callbacks: TrainRunOptions['callbacks'] = (label) => (labels.push(label), []);
    expect(await messageOf(run('ilrec', { config: wrong, callbacks }))).to.match(/^causalLM: hiddenSize/);
    expect(await messageOf(run('ilrec', { config: { training: { initialWeights: 'nowhere' } }, callbacks }))).to.match(
      /^trainRun: training\.initialWeights must name a finished run, got nowhere: nowhere must be a run folder, got no /,
    );
    expect(
      await messageOf(run('ilrec', { config: { model: { hiddenSize: 8192, numHiddenLayers: 400 } }, callbacks })),
    ).to.match(/^trainRun: the wasm backend has .* left, but .* are needed /);
    expect(
      await messageOf(run('ilrec', { config: { items: { style: 'bigrec', prompts: 'nowhere' } }, callbacks })),
    ).to.match(/^items.prompts must be a file/);
    const shallow = { model: { numHiddenLayers: 1 }, methods: { ilrec: { penaltyWeight: 1 } } };
    expect(await messageOf(run('ilrec', { config: shallow, callbacks }))).to.equal(
      'trainRun: model.numHiddenLayers must be at least 2 for the method ilrec, which reads the layers below the last, got 1',
    );
    expect(await messageOf(run('sft', { seed: 1.5 }))).to.equal(
      'trainRun: seed must be a whole number of at least 0, got 1.5',
    );
    expect(labels).to.deep.equal([]);
    expect(existsSync(join(folder.path, 'ilrec'))).to.equal(false);
    expect(tf.memory().numTensors).to.equal(tensorsBefore);
    expect((await run('ilrec', { config: { training: { epochs: 1 } } })).manifest.status).to.equal('done');
  });

  it('takes over what a run that was killed while it began has left', async () => {
    const { run: whole } = await run('sft', { config: { training: { epochs: 1 } } });
    const out = join(folder.path, 'begun');
    await mkdir(out);
    await copyFile(runPaths(whole).config, runPaths(out).config);
    await writeFile(join(out, 'tokenizer.json.partial-7'), '{');
    expect(
      (await run('sft', { name: 'begun', resume: true, config: { training: { epochs: 1 } } })).manifest.status,
    ).to.equal('done');
  });
});

async function configOf(out: string): Promise<TrainConfig> {
  return JSON.parse(await readFile(runPaths(out).config, 'utf8')) as TrainConfig;
}

function without<T extends object, Key extends keyof T>(value: T, ...keys: readonly Key[]): Omit<T, Key> {
  return Object.fromEntries(Object.entries(value).filter(([key]) => !keys.includes(key as Key))) as Omit<T, Key>;
}

async function seenOf(out: string): Promise<string> {
  return (await configOf(out)).evaluation.seen;
}

function accumulated(clipNorm: number): TrainConfigInput {
  return { training: { gradientAccumulation: 4, validationUsers: 0, clipNorm } };
}

/** As after being killed between the last checkpoint and the model. */
async function loseModel(out: string): Promise<void> {
  await rm(runPaths(out).model, { recursive: true });
  await writeManifest(out, { ...(await readManifest(out)), status: 'running' });
}

async function losses(out: string): Promise<number[]> {
  return (await readLog(runPaths(out).log)).flatMap((line) => (line.kind === 'step' ? [line.loss] : []));
}

async function weights(out: string): Promise<number[]> {
  const { languageModel, dispose } = await loadRun(out);
  const values = languageModel?.getWeights().flatMap((weight) => Array.from(weight.dataSync())) ?? [];
  dispose();
  return values;
}

/** Trains in a process that is killed in the middle of a step. */
async function trainUntilKilled(data: string, out: string, method: MethodName, step: number): Promise<void> {
  const program = ['--import', 'tsx', 'spec/support/train_child.ts', data, out, method, String(step)];
  const child = spawn(process.execPath, program, { stdio: ['ignore', 'ignore', 'inherit'] });
  await new Promise<void>((resolve) => child.once('exit', () => resolve()));
  expect(child.signalCode, 'the child must be killed before it is done').to.equal('SIGKILL');
}
