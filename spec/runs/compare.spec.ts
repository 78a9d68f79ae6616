import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import type { SeenChoice } from '../../src/data/repeat_share';
import { compareMethods, type CompareOptions, runFolder } from '../../src/runs/compare';
import type { Comparison } from '../../src/runs/comparison';
import { evaluateRun } from '../../src/runs/evaluate_run';
import { trainRun } from '../../src/runs/train_run';
import { findMethod } from '../../src/methods/registry';
import { messageOf, temporaryFolder } from '../support/folders';
import { smallConfig, writeSmallShop } from '../support/small_shop';
import '../support/backends';

describe('compareMethods', () => {
  const folder = temporaryFolder();
  const config = smallConfig({ methods: { ilrec: { reward: 'sasrec' } }, training: { epochs: 1, validationUsers: 0 } });
  before(async () => await tf.setBackend('wasm'));

  it("compares methods over seeds, with the compared SASRec as ILRec's reward, and uses finished runs again", async () => {
    const [data, out] = [join(folder.path, 'data'), join(folder.path, 'out')];
    await writeSmallShop(data);
    const trained: string[] = [];
    const options = {
      data,
      out,
      config,
      methods: ['ilrec', 'sasrec', 'markov'] as const,
      seeds: 2,
      callbacks: (label: string) => [{ onTrainBegin: () => void trained.push(label) }],
    };
    const comparison = await compareMethods(options);
    expect(trained).to.deep.equal(['sasrec, seed 0', 'sasrec, seed 1', 'ilrec, seed 0', 'ilrec, seed 1']); // no reward of its own
    expect(comparison.methods.map(({ method, runs }) => [method, runs.length])).to.deep.equal([
      ['markov', 1],
      ['sasrec', 2],
      ['ilrec', 2],
    ]);
    expect(comparison.pairs.map(({ a, b, users }) => [a, b, users])).to.deep.equal([
      ['ilrec', 'sasrec', 30],
      ['ilrec', 'markov', 30],
    ]);
    const [, sasrec] = comparison.methods;
    expect(sasrec.mean['hr@10']).to.be.closeTo(
      (sasrec.runs[0].metrics['hr@10'] + sasrec.runs[1].metrics['hr@10']) / 2,
      1e-12,
    );
    expect(sasrec.ci95['hr@10'][0]).to.be.at.most(sasrec.mean['hr@10']);
    expect(comparison.methods.every(({ invalidItems }) => invalidItems === 0)).to.equal(true);
    expect(comparison.methods[2].runs[1].log).to.have.length(7);

    const again = await compareMethods(options);
    expect(trained).to.have.length(4);
    expect(again.methods.map(({ mean }) => mean)).to.deep.equal(comparison.methods.map(({ mean }) => mean));
  });

  it('continues after an interrupt', async () => {
    const [data, out] = [join(folder.path, 'data'), join(folder.path, 'out')];
    await writeSmallShop(data);
    const controller = new AbortController();
    const options = { data, out, config, methods: ['sft'] as const };
    const cut = compareMethods({
      ...options,
      signal: controller.signal,
      callbacks: () => [{ onStep: () => controller.abort() }],
    });
    expect(await messageOf(cut)).to.equal(
      'compareMethods: sft was interrupted; run the same command again to resume it',
    );
    expect((await compareMethods(options)).methods[0].runs[0].manifest).to.deep.include({ status: 'done', steps: 7 });
  });

  it('pairs the same users also after a run was evaluated on others', async () => {
    const [data, out] = [join(folder.path, 'data'), join(folder.path, 'out')];
    await writeSmallShop(data);
    const options = { data, out, methods: ['popularity', 'markov'] as const, users: 9 };
    const first = await compareMethods(options);
    await evaluateRun({ run: join(out, 'markov'), users: 9, seed: 5 });
    expect((await compareMethods(options)).pairs).to.deep.equal(first.pairs);
  });

  it('evaluates every method by one rule for items seen, the one of the runs that are there', async () => {
    const [data, out] = [join(folder.path, 'data'), join(folder.path, 'out')];
    await writeSmallShop(data);
    const choices: SeenChoice[] = [];
    const options: CompareOptions = {
      data,
      out,
      config,
      methods: ['popularity', 'markov', 'sasrec', 'sft', 'ilrec'],
      onSeenRule: (choice) => void choices.push(choice),
    };
    const rulesOf = ({ protocols }: Comparison): boolean[] =>
      Object.values(protocols).map(({ excludeSeen }) => excludeSeen);
    await trainRun({ data, out: join(out, 'markov'), method: 'markov', config, seen: 'allow' });
    const first = await compareMethods(options);
    expect(rulesOf(first)).to.deep.equal([false, false, false, false, false]);
    expect(first.config.evaluation.seen).to.equal('allow');

    const other = await compareMethods({ ...options, seen: 'exclude' }); // the same runs
    expect(rulesOf(other)).to.deep.equal([true, true, true, true, true]);
    expect(other.methods.map(({ runs }) => runs[0].manifest)).to.deep.equal(
      first.methods.map(({ runs }) => runs[0].manifest),
    );
    expect(rulesOf(await compareMethods(options))).to.deep.equal([false, false, false, false, false]);
    expect(choices).to.deep.equal([]);

    const fresh = await compareMethods({ ...options, out: join(folder.path, 'fresh'), methods: ['markov', 'sft'] });
    expect(rulesOf(fresh)).to.deep.equal([true, true]);
    expect(choices).to.deep.equal([{ seen: 'exclude', repeatShare: 0 }]);
  });

  it('refuses to choose between several rules for items seen', async () => {
    const [data, out] = [join(folder.path, 'data'), join(folder.path, 'out')];
    await writeSmallShop(data);
    const options: CompareOptions = { data, out, config, methods: ['popularity', 'markov'] };
    await trainRun({ data, out: join(out, 'popularity'), method: 'popularity', config, seen: 'exclude' });
    await trainRun({ data, out: join(out, 'markov'), method: 'markov', config, seen: 'allow' });
    expect(await messageOf(compareMethods(options))).to.equal(
      `compareMethods: seen must be the same for every run at ${out}, got exclude of popularity and allow of markov; ` +
        'say which with --seen',
    );
    const { protocols } = await compareMethods({ ...options, seen: 'allow' });
    expect(Object.values(protocols).map(({ excludeSeen }) => excludeSeen)).to.deep.equal([false, false]);
  });

  it('names runs by method and seed', () => {
    expect(['markov', 'sft'].map((name) => runFolder('x', findMethod(name), 3))).to.deep.equal([
      'x/markov',
      'x/sft-seed3',
    ]);
  });
});
