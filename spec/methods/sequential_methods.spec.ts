import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import type { TrainConfigInput } from '../../src/methods/train_config';
import { compareMethods } from '../../src/runs/compare';
import { evaluateRun } from '../../src/runs/evaluate_run';
import { loadRun } from '../../src/runs/load_run';
import { recommend } from '../../src/runs/recommend_run';
import { readLog } from '../../src/runs/run_log';
import { needFolder, runPaths } from '../../src/runs/run_paths';
import { trainRun, type TrainRunOptions, type TrainRunResult } from '../../src/runs/train_run';
import { forEachBackend } from '../support/backends';
import { temporaryFolder } from '../support/folders';
import { smallConfig, writeSmallShop } from '../support/small_shop';

type Name = 'gru4rec' | 'caser';

const NAMES: readonly Name[] = ['gru4rec', 'caser'];
const small: TrainConfigInput['methods'] = {
  gru4rec: { embeddingSize: 8, hiddenSize: 6 },
  caser: { hiddenSize: 8, windowSize: 3, numHorizontalFilters: 2, numVerticalFilters: 2 },
};

describe('sequential methods @slow', () => {
  const folder = temporaryFolder();
  let data = '';
  before(async () => await tf.setBackend('wasm'));
  beforeEach(async () => {
    data = join(folder.path, 'data');
    await writeSmallShop(data); // 40 items, 30 users, no repeats
  });

  async function run(
    method: Name | 'ilrec',
    {
      name = method,
      config = {},
      ...options
    }: { name?: string; config?: TrainConfigInput } & Partial<Omit<TrainRunOptions, 'config'>> = {},
  ): Promise<TrainRunResult> {
    const whole = smallConfig({ ...config, methods: { ...small, ...config.methods } });
    return await trainRun({ data, out: join(folder.path, name), method, config: whole, ...options });
  }

  forEachBackend(() => {
    for (const method of NAMES)
      it(`${method} trains, keeps its section, evaluates, recommends and leaves no tensor behind`, async () => {
        const tensorsBefore = tf.memory().numTensors;
        const { run: out, manifest } = await run(method);
        expect(manifest).to.deep.include({ method, status: 'done', seed: 0, steps: 14 });
        const steps = (await readLog(runPaths(out).log)).flatMap((line) => (line.kind === 'step' ? [line.loss] : []));
        expect(steps[13]).to.be.below(steps[0] as number);
        const evaluation = await evaluateRun({ run: out });
        expect([evaluation.users, evaluation.protocol.excludeSeen]).to.deep.equal([30, true]);
        const { items, scorer, config, dispose } = await loadRun(out);
        expect([scorer?.name, scorer?.numItems]).to.deep.equal([method, 40]);
        expect(config.methods[method]).to.deep.include({ ...small[method], hiddenDropout: 0.3, training: {} });
        dispose();
        const history = items.slice(0, 3).map(({ id }) => id);
        const unseen = (await recommend({ run: out, history, k: 40 })).map(({ id }) => id);
        expect(unseen).to.have.members(items.slice(3).map(({ id }) => id)); // the rule for items seen
        expect(await recommend({ run: out, history, k: 40, seen: 'allow' })).to.have.length(40);
        expect(tf.memory().numTensors).to.equal(tensorsBefore);
      });
  });

  for (const method of NAMES) {
    it(`${method} gives the same weights for the same seed, also after an interruption`, async () => {
      const whole = await run(method, { name: 'whole' });
      const controller = new AbortController();
      const cut = { name: 'cut', signal: controller.signal };
      const callbacks: TrainRunOptions['callbacks'] = () => [
        { onStep: ({ step }) => (step === 3 ? controller.abort() : undefined) },
      ];
      expect((await run(method, { ...cut, callbacks })).manifest.status).to.equal('interrupted');
      const { run: out, manifest } = await run(method, { name: 'cut', resume: true });
      expect(manifest.status).to.equal('done');
      expect(await weightsOf(out)).to.deep.equal(await weightsOf(whole.run));
      const other = await run(method, { name: 'other', seed: 1 });
      expect(await weightsOf(other.run)).to.not.deep.equal(await weightsOf(out));
    });

    for (const style of ['ids', 'items'] as const)
      it(`${method} is trained first where it is the reward of ILRec, over ${style}`, async () => {
        const labels: string[] = [];
        const { run: out, manifest } = await run('ilrec', {
          config: { items: { style }, training: { epochs: 1 }, methods: { ilrec: { reward: method } } },
          callbacks: (label) => (labels.push(label), []),
        });
        expect([manifest.status, ...labels]).to.deep.equal(['done', 'reward', 'ilrec']);
        const steps = (await readLog(runPaths(out).log)).filter(({ kind }) => kind === 'step');
        for (const step of steps) expect(step).to.have.property('crr').that.is.above(0);
        const reward = await loadRun(needFolder(out, 'reward'));
        expect(reward.manifest.method).to.equal(method);
        reward.dispose();
      });
  }

  it('settings of their own training replace the shared ones', async () => {
    const { manifest } = await run('caser', {
      config: { methods: { caser: { ...small.caser, training: { epochs: 1, batchSize: 64 } } } },
    });
    expect(manifest.steps).to.equal(1);
  });

  it('are compared with each other and with SASRec, in the order of tables', async () => {
    const config = smallConfig({ methods: small, training: { epochs: 1 } });
    const { methods } = await compareMethods({
      data,
      out: join(folder.path, 'out'),
      methods: ['sasrec', 'gru4rec', 'markov', 'caser'],
      config,
    });
    expect(methods.map(({ title }) => title)).to.deep.equal(['Markov', 'Caser', 'GRU4Rec', 'SASRec']);
    expect(methods.every(({ invalidItems }) => invalidItems === 0)).to.equal(true);
  });
});

async function weightsOf(run: string): Promise<Buffer> {
  return await readFile(join(runPaths(run).model, 'weights.bin'));
}
