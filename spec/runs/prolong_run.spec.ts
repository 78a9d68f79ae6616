import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import type { TrainConfigInput } from '../../src/methods/train_config';
import { compareMethods } from '../../src/runs/compare';
import { evaluateRun } from '../../src/runs/evaluate_run';
import { loadRun } from '../../src/runs/load_run';
import { readManifest } from '../../src/runs/manifest';
import { readLog } from '../../src/runs/run_log';
import { needFolder, runPaths } from '../../src/runs/run_paths';
import { trainRun, type TrainRunOptions, type TrainRunResult } from '../../src/runs/train_run';
import '../support/backends';
import { ilrecCommand } from '../support/command_line';
import { messageOf, temporaryFolder } from '../support/folders';
import { smallConfig, writeSmallShop } from '../support/small_shop';

/** A rate that does not change, so that a prolonged run must give the numbers of one that was long from the start. */
const constant = { schedule: 'constant', warmupRatio: 0 } as const;

describe('a run that is trained for longer', () => {
  const folder = temporaryFolder();
  let data = '';
  before(async () => await tf.setBackend('wasm'));
  beforeEach(async () => {
    data = join(folder.path, 'data');
    await writeSmallShop(data); // 40 items, 30 users; 7 steps an epoch
  });

  async function run(
    name: string,
    training: TrainConfigInput['training'],
    {
      method = 'sft',
      methods,
      ...options
    }: Partial<Omit<TrainRunOptions, 'methods'>> & Pick<TrainConfigInput, 'methods'> = {},
  ): Promise<TrainRunResult> {
    const config = smallConfig({ training: { ...constant, ...training }, methods });
    return await trainRun({ data, out: join(folder.path, name), method, config, ...options });
  }

  const longer = (out: string, options: Partial<TrainRunOptions>): Promise<TrainRunResult> =>
    trainRun({ data, out, method: 'sft', resume: true, ...options });

  it('gives the losses, weights and evaluations of one that was long from the start: 4 to 8 epochs', async () => {
    for (const gradientAccumulation of [1, 4]) {
      const whole = await run(`whole-${gradientAccumulation}`, { epochs: 8, gradientAccumulation });
      const { run: out } = await run(`grown-${gradientAccumulation}`, { epochs: 4, gradientAccumulation });
      const { manifest } = await longer(out, { epochs: 8 });
      expect(manifest).to.deep.include({ status: 'done', steps: 56, prolonged: [{ step: 28, epochs: 4 }] });
      expect(manifest.validation).to.deep.equal(whole.manifest.validation);
      expect(await numbersOf(out)).to.deep.equal(await numbersOf(whole.run));
      expect((await evaluateRun({ run: out })).ranks).to.deep.equal((await evaluateRun({ run: whole.run })).ranks);
      expect((await configOf(out)).training.epochs).to.equal(8);
    }
  });

  it('goes on from an interruption too, and once more after it', async () => {
    const whole = await run('whole', { epochs: 6 });
    const controller = new AbortController();
    const { run: out, manifest } = await run(
      'cut',
      { epochs: 3 },
      {
        signal: controller.signal,
        callbacks: () => [{ onStep: ({ step }) => (step === 10 ? controller.abort() : undefined) }],
      },
    );
    expect(manifest).to.deep.include({ status: 'interrupted', steps: 10 });
    await longer(out, { epochs: 4 });
    const last = await longer(out, { steps: 36 }); // five epochs and a step
    expect(last.manifest).to.deep.include({
      status: 'done',
      steps: 42,
      prolonged: [
        { step: 10, epochs: 3 },
        { step: 28, epochs: 4 },
      ],
    });
    expect(await numbersOf(out)).to.deep.equal(await numbersOf(whole.run));
    expect((await longer(out, { epochs: 6 })).manifest).to.deep.equal(last.manifest); // nothing to do
    expect((await longer(out, {})).manifest).to.deep.equal(last.manifest);
  });

  it('follows the schedule of the longer run from there on', async () => {
    const decay = { schedule: 'cosine', warmupRatio: 0.25, validationUsers: 0 } as const;
    const whole = await run('whole', { epochs: 4, ...decay });
    const { run: out } = await run('grown', { epochs: 2, ...decay });
    await longer(out, { epochs: 4 });
    const [expected, rates] = await Promise.all([whole.run, out].map(ratesOf));
    expect(rates.slice(14)).to.deep.equal(expected.slice(14));
    expect(rates[13]).to.be.below(rates[14]); // the short run had come to rest
  });

  it('keeps the epochs of its teacher, and what the run chose beside the epochs', async () => {
    const still = { epochs: undefined, learningRate: 1e-12, patience: 1, validationUsers: 10 };
    const teacher = { ilrec: { reward: 'sasrec' }, sasrec: { training: { batchSize: 1 } } } as const;
    const controller = new AbortController();
    const { run: out, manifest } = await run('ilrec', still, {
      method: 'ilrec',
      methods: teacher,
      signal: controller.signal,
      callbacks: (label) => [{ onStep: () => (label === 'ilrec' ? controller.abort() : undefined) }],
    });
    expect(manifest.chosen).to.deep.equal({ epochs: 100, evaluateEvery: 5 });
    const reward = await readManifest(needFolder(out, 'reward'));
    const { manifest: now } = await longer(out, { method: 'ilrec', epochs: 120 });
    expect(now).to.deep.include({ status: 'done', steps: 70, chosen: { evaluateEvery: 5 } });
    expect(await readManifest(needFolder(out, 'reward'))).to.deep.equal(reward);
    expect((await configOf(out)).training).to.deep.include({ epochs: 120, evaluateEvery: 5 });
  });

  it('is refused where early stopping has ended the run, until the patience is raised', async () => {
    const still = { epochs: 9, patience: 1, learningRate: 1e-12 };
    const { run: out, manifest } = await run('still', still);
    expect(manifest.steps).to.equal(14);
    const before = await readFile(runPaths(out).manifest, 'utf8');
    expect(await messageOf(longer(out, { epochs: 12 }))).to.equal(
      `trainRun: the run at ${out} ended early: 1 evaluation after its best one brought nothing better; to train it for ` +
        'longer, raise training.patience above 1 too, got 1',
    );
    expect(await readFile(runPaths(out).manifest, 'utf8')).to.equal(before);
    const { manifest: now } = await run('still', { ...still, patience: 3 }, { resume: true, epochs: 12 });
    expect(now.steps).to.equal(28); // two evaluations more
    expect(now.validation?.bestStep).to.equal(7);
  });

  it('is refused where it makes no sense, and leaves the run as it is', async () => {
    const { run: out } = await run('sft', { epochs: 2 });
    const before = await readFile(runPaths(out).manifest, 'utf8');
    expect(await messageOf(longer(out, { epochs: 1 }))).to.equal(
      `trainRun: epochs must be at least the 2 that the run at ${out} has, got 1; choose another folder for a shorter run`,
    );
    expect(await messageOf(longer(out, { epochs: 3, steps: 8 }))).to.equal(
      'trainRun: epochs and steps must not be given both, got 3 and 8; give one',
    );
    expect(await messageOf(longer(out, { steps: 0 }))).to.equal(
      'trainRun: steps must be a whole number of at least 1, got 0',
    );
    expect(await messageOf(run('sft', { epochs: 2, learningRate: 0.5 }, { resume: true, epochs: 3 }))).to.equal(
      `trainRun: the run at ${out} was begun with another config: training.learningRate is 0.01 there and 0.5 here; ` +
        'give the same values, or choose another folder',
    );
    await rm(runPaths(out).checkpoints, { recursive: true });
    expect(await messageOf(longer(out, { epochs: 3 }))).to.equal(
      `trainRun: ${out} must have a checkpoint to be trained for longer, got none in ${runPaths(out).checkpoints}; train ` +
        'a new run for all epochs',
    );
    expect(await readFile(runPaths(out).manifest, 'utf8')).to.equal(before);
    const { run: counted } = await run('markov', {}, { method: 'markov' });
    expect((await longer(counted, { method: 'markov', epochs: 50 })).manifest.status).to.equal('done');
  });

  it('never happens in a comparison, whose methods must have the same length from the start', async () => {
    const options = { data, out: join(folder.path, 'compared'), methods: ['sft'] as const, epochs: 1 };
    const config = smallConfig({ training: { validationUsers: 0 } });
    await compareMethods({ ...options, config });
    expect(await messageOf(compareMethods({ ...options, config, epochs: 2 }))).to.match(
      /: training\.epochs is 1 there and 2 here; /,
    );
  });

  it('counts steps of a new run in whole epochs', async () => {
    const { run: out, manifest } = await run('new', { epochs: undefined, validationUsers: 0 }, { steps: 8 });
    expect(manifest).to.deep.include({ status: 'done', steps: 14, stepsPerEpoch: 7 });
    expect((await configOf(out)).training.epochs).to.equal(2);
    expect(
      (await run('new', { epochs: undefined, validationUsers: 0 }, { steps: 8, resume: true })).manifest,
    ).to.deep.equal(manifest);
  });

  it('asks for nothing but the length on the command line', async () => {
    const { run: out } = await run('sft', { epochs: 1 });
    const { status, stdout, stderr } = await ilrecCommand(
      ...['train', '--resume', '--out', out, '--epochs', '2', '--backend', 'wasm', '--json'],
    );
    expect(status, stderr).to.equal(0);
    expect(JSON.parse(stdout)).to.deep.include({ method: 'sft', status: 'done', steps: 14 });
  });
});

async function configOf(out: string): Promise<{ training: Record<string, unknown> }> {
  return JSON.parse(await readFile(runPaths(out).config, 'utf8')) as { training: Record<string, unknown> };
}

/** Losses of all steps and metrics of all evaluations, then the weights. */
async function numbersOf(out: string): Promise<unknown[]> {
  const { languageModel, dispose } = await loadRun(out);
  const weights = languageModel?.getWeights().flatMap((weight) => Array.from(weight.dataSync())) ?? [];
  dispose();
  const log = await readLog(runPaths(out).log);
  return [...log.map(({ kind, step, loss, ...line }) => [kind, step, loss, line['ndcg@10']]), ...weights];
}

async function ratesOf(out: string): Promise<number[]> {
  return (await readLog(runPaths(out).log)).flatMap((line) => (line.kind === 'step' ? [line.learningRate] : []));
}
