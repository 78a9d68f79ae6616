import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import type { MethodName } from '../../src/methods/registry';
import type { TrainConfig, TrainConfigInput } from '../../src/methods/train_config';
import { compareMethods } from '../../src/runs/compare';
import { evaluateRun } from '../../src/runs/evaluate_run';
import { loadRun } from '../../src/runs/load_run';
import { recommend } from '../../src/runs/recommend_run';
import { readLog } from '../../src/runs/run_log';
import { runPaths } from '../../src/runs/run_paths';
import { trainRun, type TrainRunResult } from '../../src/runs/train_run';
import { messageOf, temporaryFolder } from '../support/folders';
import '../support/backends';
import { smallConfig, writeSmallShop } from '../support/small_shop';

type Style = NonNullable<NonNullable<TrainConfigInput['items']>['style']>;

describe('msl and tca4rec @slow', () => {
  const folder = temporaryFolder();
  let data = '';
  beforeEach(async () => {
    data = join(folder.path, 'data');
    await writeSmallShop(data);
  });
  before(() => tf.setBackend('wasm'));

  const sections = { msl: {}, tca4rec: { reward: 'markov' } };
  const configOf = (style: Style, { methods, ...changes }: TrainConfigInput = {}): TrainConfig =>
    smallConfig({
      ...changes,
      items: { style, vocabSize: 300, maxPromptTokens: 90, maxTitleTokens: 8 },
      methods: { ...sections, ...methods },
    });
  const train = (
    method: MethodName,
    style: Style,
    changes: TrainConfigInput = {},
    name = 'run',
  ): Promise<TrainRunResult> =>
    trainRun({ data, out: join(folder.path, name), method, config: configOf(style, changes) });

  for (const method of ['msl', 'tca4rec'] as const) {
    for (const style of ['items', 'ids', 'bigrec'] as const)
      it(`${method} trains, evaluates, recommends and leaves no tensor behind: ${style}`, async () => {
        const before = tf.memory().numTensors;
        const { run, manifest } = await train(method, style, { training: { epochs: 1, batchSize: 32 } });
        expect(manifest).to.deep.include({ method, status: 'done' });
        const { users, invalidItems } = await evaluateRun({ run });
        expect({ users, invalidItems }).to.deep.equal({ users: 30, invalidItems: 0 });
        const { items, dispose } = await loadRun(run);
        dispose();
        expect(await recommend({ run, history: [items[3].id, items[7].id], k: 4 })).to.have.length(4);
        expect(tf.memory().numTensors).to.equal(before);
      });

    it(`${method} resumes with the weights of a run that was not interrupted`, async () => {
      for (const style of ['items', 'ids'] as const) {
        const whole = await train(method, style, {}, `whole-${style}`);
        const controller = new AbortController();
        const cut = (signal?: AbortSignal): Promise<TrainRunResult> =>
          trainRun({
            data,
            out: join(folder.path, `cut-${style}`),
            method,
            config: configOf(style),
            resume: true,
            signal,
            callbacks: () => [{ onStep: ({ step }) => (step === 3 ? controller.abort() : undefined) }],
          });
        expect((await cut(controller.signal)).manifest).to.deep.include({ status: 'interrupted', steps: 3 });
        const { run } = await cut();
        expect(await weightsOf(run)).to.deep.equal(await weightsOf(whole.run));
      }
    });
  }

  it('msl logs its temperature', async () => {
    const { run } = await train('msl', 'ids');
    const temperatures = (await readLog(runPaths(run).log)).flatMap((line) =>
      line.kind === 'step' ? [Number((line as { temperature?: unknown }).temperature)] : [],
    );
    expect(temperatures[0]).to.be.at.least(1.5);
    expect(temperatures.every(Number.isFinite)).to.equal(true);
  });

  it('msl with item tokens at temperature 1 is sft, and refuses an adaptive one', async () => {
    const [own, plain] = [
      await train('msl', 'items', { training: { epochs: 1 } }, 'msl'),
      await train('sft', 'items', { training: { epochs: 1 } }, 'sft'),
    ];
    expect(await weightsOf(own.run)).to.deep.equal(await weightsOf(plain.run));
    const adaptive = train('msl', 'items', { methods: { msl: { temperature: 'adaptive' } } }, 'adaptive');
    expect(await messageOf(adaptive)).to.equal(
      'trainRun: methods.msl.temperature must be a number where items.style is items, got adaptive; 1 is the default',
    );
  });

  it('are compared, and tca4rec takes the compared SASRec as its reward', async () => {
    const { methods } = await compareMethods({
      data,
      out: join(folder.path, 'compared'),
      methods: ['tca4rec', 'msl', 'sasrec'],
      config: configOf('ids', { training: { epochs: 1 }, methods: { tca4rec: { reward: 'sasrec' } } }),
    });
    expect(methods.map(({ title }) => title)).to.deep.equal(['SASRec', 'MSL', 'TCA4Rec']);
    const { config, dispose } = await loadRun(methods[2].runs[0].run);
    dispose();
    expect(config.methods.tca4rec.rewardRun).to.equal(methods[0].runs[0].run);
  });
});

async function weightsOf(run: string): Promise<number[][]> {
  const { languageModel, dispose } = await loadRun(run);
  const values = languageModel?.getWeights().map((weight) => [...weight.dataSync()]) ?? [];
  dispose();
  return values;
}
