import { existsSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import type { MethodName } from '../../src/methods/registry';
import type { TrainConfig, TrainConfigInput } from '../../src/methods/train_config';
import { compareMethods } from '../../src/runs/compare';
import { evaluateRun } from '../../src/runs/evaluate_run';
import { loadRun } from '../../src/runs/load_run';
import { recommend } from '../../src/runs/recommend_run';
import { trainRun, type TrainRunResult } from '../../src/runs/train_run';
import '../support/backends';
import { messageOf, temporaryFolder } from '../support/folders';
import { smallConfig, writeSmallShop } from '../support/small_shop';

type FusionInput = NonNullable<TrainConfigInput['evaluation']>['fusion'];
type Style = 'items' | 'ids';

describe('evaluation.fusion @slow', () => {
  const folder = temporaryFolder();
  let data = '';
  beforeEach(async () => {
    data = join(folder.path, 'data');
    await writeSmallShop(data);
  });
  before(() => tf.setBackend('wasm'));

  const configOf = (style: Style, fusion: FusionInput, changes: TrainConfigInput = {}): TrainConfig =>
    smallConfig({
      ...changes,
      items: { style },
      training: { epochs: 1, ...changes.training },
      evaluation: { beamWidth: 40, seen: 'allow', fusion },
    });
  const train = (
    name: string,
    style: Style,
    fusion: FusionInput,
    method: MethodName = 'sft',
    changes: TrainConfigInput = {},
  ): Promise<TrainRunResult> =>
    trainRun({ data, out: join(folder.path, name), method, config: configOf(style, fusion, changes) });
  const ranksOf = async (run: string): Promise<number[]> => [...(await evaluateRun({ run })).ranks];

  for (const [style, kind] of [
    ['items', 'scores'],
    ['ids', 'scores'],
    ['ids', 'd3'],
  ] as const)
    it(`chooses a weight on the validation users, keeps the other model in the run, and leaves no tensor behind: ${style}, ${kind}`, async () => {
      const before = tf.memory().numTensors;
      const { run, manifest } = await train('run', style, { method: 'markov', kind });
      const { weight, validation = [], ...named } = manifest.fusion ?? { weight: NaN };
      expect(named).to.deep.equal({ method: 'markov', run: null });
      const best = Math.max(...validation.map((one) => one['ndcg@10']));
      expect(validation.map((one) => one.weight)).to.deep.equal([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]);
      expect(validation.find((one) => one.weight === weight)?.['ndcg@10']).to.equal(best);
      expect(validation[10]['ndcg@10']).to.equal(manifest.validation?.best?.metrics['ndcg@10']); // the model alone
      const moved = join(folder.path, 'moved');
      await rename(run, moved); // nothing outside the run is needed
      const valid = await evaluateRun({ run: moved, split: 'valid', users: 10 });
      expect(valid['ndcg@10']).to.equal(best);
      expect(valid.protocol.ranking).to.contain('markov');
      const { items, dispose } = await loadRun(moved);
      dispose();
      expect(await recommend({ run: moved, history: [items[3].id], k: 4 })).to.have.length(4);
      expect(tf.memory().numTensors).to.equal(before);
    });

  it('is the model alone for the weight 1, and the other one for 0', async () => {
    const plain = await ranksOf((await train('plain', 'ids', null)).run);
    const other = await trainRun({
      data,
      out: join(folder.path, 'markov'),
      method: 'markov',
      config: configOf('ids', null),
    });
    for (const kind of ['d3', 'scores'] as const) {
      const one = await train(`one-${kind}`, 'ids', { run: other.run, kind, weight: 1 });
      expect(await ranksOf(one.run), kind).to.deep.equal(plain);
      expect(one.manifest.fusion).to.deep.equal({ method: 'markov', run: other.run, weight: 1 });
      expect(existsSync(join(one.run, 'fusion'))).to.equal(false);
    }
    const items = await train('items', 'items', { run: other.run, weight: 0 });
    expect(await ranksOf(items.run)).to.deep.equal(await ranksOf(other.run));
    const steered = await train('steered', 'ids', { run: other.run, kind: 'd3', weight: 0 });
    // items that share a semantic id are ranked by their counts, not by the other model
    const [mine, theirs] = [await ranksOf(steered.run), await ranksOf(other.run)];
    expect(mine.filter((rank, user) => rank === theirs[user]).length).to.be.above(0.8 * mine.length);
    expect(mine).to.not.deep.equal(plain);
  });

  it('recommends by the scores of both', async () => {
    const { run } = await train('run', 'items', { method: 'markov', weight: 0.25 });
    const loaded = await loadRun(run);
    const history = [3, 7];
    const fused = await loaded.fusion();
    const expected = tf.tidy(() => {
      const [own, other] = [loaded.scorer, fused?.scorer].map((scorer) =>
        tf.logSoftmax(scorer?.score([history]) as tf.Tensor2D),
      );
      return tf.add(tf.mul(own, 0.25), tf.mul(other, 0.75)).dataSync();
    });
    const list = await recommend({ run, history: history.map((item) => loaded.items[item].id), k: 3 });
    list.forEach(({ id, score }) =>
      expect(score).to.be.closeTo(expected[loaded.items.findIndex((item) => item.id === id)], 1e-5),
    );
    expect(list[0].score).to.be.closeTo(Math.max(...expected), 1e-5);
    loaded.dispose();
  });

  it('does not reach the models that a method is trained with', async () => {
    const methods = { ilrec: { reward: 'sft', rewardWeight: 0.1, rewardModels: 1 } };
    const { run } = await train('run', 'items', { method: 'sasrec', weight: 0.5 }, 'ilrec', { methods });
    for (const role of ['reward', 'fusion']) {
      const { manifest, config, dispose } = await loadRun(join(run, role));
      dispose();
      expect([manifest.fusion, config.evaluation.fusion]).to.deep.equal([undefined, null]);
    }
  });

  it('is for language models alone, also where methods are compared', async () => {
    const { methods } = await compareMethods({
      data,
      out: join(folder.path, 'compared'),
      methods: ['popularity', 'sft'],
      config: configOf('items', { method: 'markov', weight: 0.5 }),
    });
    expect(methods.map(({ runs }) => runs[0].manifest.fusion)).to.deep.equal([
      undefined,
      { method: 'markov', run: null, weight: 0.5 },
    ]);
  });

  it('resumes a run that was stopped', async () => {
    const fusion = { method: 'markov' };
    const whole = await train('whole', 'items', fusion);
    const controller = new AbortController();
    const cut = (signal?: AbortSignal): Promise<TrainRunResult> =>
      trainRun({
        data,
        out: join(folder.path, 'cut'),
        method: 'sft',
        config: configOf('items', fusion),
        resume: true,
        signal,
        callbacks: () => [{ onStep: ({ step }) => (step === 2 ? controller.abort() : undefined) }],
      });
    const stopped = await cut(controller.signal);
    expect([stopped.manifest.status, stopped.manifest.fusion]).to.deep.equal(['interrupted', undefined]);
    expect((await cut()).manifest.fusion).to.deep.equal(whole.manifest.fusion);
  });

  it('refuses what cannot be chosen, or scores no items', async () => {
    expect(
      await messageOf(train('run', 'ids', { method: 'markov' }, 'sft', { training: { validationUsers: 0 } })),
    ).to.equal(
      'trainRun: evaluation.fusion.weight must be a number where no validation users choose it, got auto; set ' +
        'training.validationUsers, or a weight from 0 to 1',
    );
    expect(existsSync(join(folder.path, 'run'))).to.equal(false);
    expect(() => configOf('ids', { method: 'tiger' })).to.throw(
      /must be one of .*sasrec.*, got tiger\n {2}→ at evaluation\.fusion\.method/,
    );
    expect(() => configOf('ids', { method: 'markov', run: 'runs/other' })).to.throw(
      /must have either method or run\n {2}→ at evaluation\.fusion/,
    );
    const other = await train('sft', 'ids', null);
    expect(await messageOf(train('fused', 'items', { run: other.run, weight: 0.5 }))).to.equal(
      `trainRun: evaluation.fusion.run must score items, got sft of style ids at ${other.run}`,
    );
  });
});
