import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { demoCatalogue } from '../../src/data/demo_catalogue';
import type { SeenChoice } from '../../src/data/repeat_share';
import type { PublishedCase } from '../../src/data/types';
import { prepareInteractions } from '../../src/preparation/prepare';
import { writePrepared } from '../../src/preparation/prepared_folder_node';
import { compareMethods, type CompareOptions, runFolder } from '../../src/runs/compare';
import type { Comparison } from '../../src/runs/comparison';
import { evaluateRun } from '../../src/runs/evaluate_run';
import { readManifest } from '../../src/runs/manifest';
import { trainRun } from '../../src/runs/train_run';
import { findMethod } from '../../src/methods/registry';
import { comparisonTable } from '../../src/report/comparison_table';
import { studyTable } from '../../src/report/study_table';
import { studyMethods } from '../../src/runs/study';
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
      ['sasrec', 'markov', 30],
    ]);
    for (const { pValue, adjustedPValue } of comparison.pairs) expect(adjustedPValue).to.be.within(pValue, 1);
    const [, sasrec] = comparison.methods;
    expect(sasrec.mean['hr@10']).to.be.closeTo(
      (sasrec.runs[0].metrics['hr@10'] + sasrec.runs[1].metrics['hr@10']) / 2,
      1e-12,
    );
    expect(sasrec.ci95['hr@10'][0]).to.be.at.most(sasrec.mean['hr@10']);
    expect(comparison.methods.every(({ invalidItems }) => invalidItems === 0)).to.equal(true);
    const [ilrec] = comparison.methods[2].runs;
    expect(ilrec.log).to.have.length(7);
    expect(ilrec.cost.needSeconds).to.equal(sasrec.runs[0].manifest.seconds); // its teacher, trained once for both
    expect(ilrec.cost.secondsPerEpoch).to.be.below(ilrec.cost.seconds);
    expect(ilrec.cost.peakMemory).to.be.above(2 ** 20);
    expect(ilrec.cost.responseTokensPerSecond).to.be.below(ilrec.cost.tokensPerSecond ?? 0);
    expect(comparison.secondsOf).to.equal('steps');
    for (const { lists } of comparison.methods) {
      expect(lists.coverage).to.be.within(10 / 40, 1);
      expect(lists.gini).to.be.within(0, 1);
      expect(lists.popular10Share).to.be.within(0, 1);
      expect(lists.top3Share).to.be.within(3 / 40, 3 / 10 + 1e-12); // an item at most once in a list of ten
    }
    const users = (by: string): number =>
      comparison.slices.filter((slice) => slice.by === by).reduce((sum, slice) => sum + slice.users, 0);
    expect([users('history'), users('popularity')]).to.deep.equal([30, 30]);
    for (const { method, mean } of comparison.methods) {
      const inSlices = comparison.slices
        .filter(({ by }) => by === 'history')
        .reduce(
          (sum, slice) => sum + slice.users * (slice.methods.find((one) => one.method === method)?.mean ?? NaN),
          0,
        );
      expect(inSlices / 30).to.be.closeTo(mean['ndcg@10'], 1e-12);
    }

    const again = await compareMethods(options);
    expect(trained).to.have.length(4);
    expect(again.methods.map(({ mean }) => mean)).to.deep.equal(comparison.methods.map(({ mean }) => mean));
    expect(again.seconds).to.equal(comparison.seconds); // of the runs and evaluations, not of the call
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
    const { seconds } = await readManifest(join(out, 'sft-seed0'));
    const { manifest, log } = (await compareMethods(options)).methods[0].runs[0];
    expect(manifest).to.deep.include({ status: 'done', steps: 7 });
    expect(manifest.seconds).to.be.above(seconds).and.above(0); // both calls
    const told = log.map((line) => Number(line.seconds));
    expect(told).to.deep.equal([...told].sort((a, b) => a - b));
  });

  it('goes on after a kill: finished runs and evaluations are used again, a half-written run is begun anew', async () => {
    const [data, out] = [join(folder.path, 'data'), join(folder.path, 'out')];
    await writeSmallShop(data);
    const trained: string[] = [];
    const options: CompareOptions = {
      data,
      out,
      config,
      methods: ['markov', 'sft', 'sasrec'],
      callbacks: (label) => [{ onTrainBegin: () => void trained.push(label) }],
    };
    const first = await compareMethods({ ...options, methods: ['markov', 'sasrec'] });
    const evaluation = join(out, 'sasrec-seed0', 'evaluation-test.json');
    const { mtimeMs } = await stat(evaluation);
    await rm(join(out, 'markov', 'evaluation-test.json')); // killed before it was evaluated
    await writeFile(join(out, 'markov', 'evaluation-test.json.partial-7'), '{"hr');
    await mkdir(join(out, 'sft-seed0')); // killed before there was a manifest
    await writeFile(join(out, 'sft-seed0', 'config.json.partial-7'), '{"');
    const second = await compareMethods(options);
    expect(trained).to.deep.equal(['sasrec', 'sft']);
    expect((await stat(evaluation)).mtimeMs).to.equal(mtimeMs);
    expect(second.methods.map(({ method }) => method)).to.deep.equal(['markov', 'sasrec', 'sft']);
    expect(second.methods.slice(0, 2).map(({ mean }) => mean)).to.deep.equal(first.methods.map(({ mean }) => mean));
  });

  it('evaluates again what an older release evaluated without counting items', async () => {
    const [data, out] = [join(folder.path, 'data'), join(folder.path, 'out')];
    await writeSmallShop(data);
    const options: CompareOptions = { data, out, methods: ['markov'] };
    const first = await compareMethods(options);
    const path = join(out, 'markov', 'evaluation-test.json');
    const { itemCounts, seconds: _, ...old } = JSON.parse(await readFile(path, 'utf8'));
    expect(itemCounts).to.have.length(40);
    await writeFile(path, JSON.stringify(old));
    const { methods } = await compareMethods(options);
    expect(methods[0].lists).to.deep.equal(first.methods[0].lists);
    expect(methods[0].mean).to.deep.equal(first.methods[0].mean);
  });

  it('refuses a folder that is in use for something else, before anything is trained', async () => {
    const [data, out] = [join(folder.path, 'data'), join(folder.path, 'out')];
    await writeSmallShop(data);
    const options: CompareOptions = { data, out, methods: ['popularity'] };
    const refusal = (place: string, name: string): string =>
      `compareMethods: out must be a new or empty folder, or that of a comparison, got ${place}, which holds ${name}; ` +
      'choose another folder';
    expect(await messageOf(compareMethods({ ...options, out: data }))).to.equal(refusal(data, 'dataset.json'));
    await mkdir(out);
    await writeFile(join(out, 'notes.txt'), 'mine');
    expect(await messageOf(compareMethods(options))).to.equal(refusal(out, 'notes.txt'));
    expect(await messageOf(compareMethods({ ...options, out: join(out, 'notes.txt') }))).to.equal(
      `compareMethods: out must be a folder, got the file ${join(out, 'notes.txt')}; choose another name`,
    );
    await rm(join(out, 'notes.txt'));
    await writeFile(join(out, 'report.html.partial-7'), '<');
    await writeSmallShop(join(out, 'shop')); // the dataset may lie beside the runs
    await compareMethods({ ...options, data: join(out, 'shop') });
    await rm(join(out, 'shop'), { recursive: true });
    await rm(join(out, 'popularity'), { recursive: true });
    await compareMethods(options);
    const run = join(out, 'popularity');
    expect(await messageOf(compareMethods({ ...options, out: run }))).to.equal(refusal(run, 'manifest.json'));
    await writeFile(join(out, 'comparison.json'), '{}');
    await writeFile(join(out, 'notes.txt'), 'about the comparison');
    expect((await compareMethods(options)).methods).to.have.length(1);
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

  it('draws users with all of their rows where the dataset publishes several', async () => {
    const [data, out] = [join(folder.path, 'data'), join(folder.path, 'out')];
    const whole = prepareInteractions(demoCatalogue({ numItems: 40, numUsers: 30, seed: 3 }), {}, 'generated');
    const rowsOf = (sequence: Int32Array, user: number): PublishedCase[] =>
      [2, 1].map((left) => {
        const length = sequence.length - left;
        return { history: sequence.slice(0, length), target: sequence[length], user };
      });
    const cases = { valid: [], test: whole.sequences.flatMap(rowsOf) };
    const sequences = whole.sequences.map((sequence) => sequence.slice(0, -2));
    await writePrepared(
      { ...whole, sequences, cases, report: { ...whole.report, cases: { valid: 0, test: 60 } } },
      data,
    );
    const methods = ['popularity', 'markov'] as const;
    const comparison = await compareMethods({ data, out, methods, config });
    const { pairs, protocols, slices, users, rows } = comparison;
    expect([pairs[0].users, pairs[0].rows]).to.deep.equal([30, 60]);
    expect([users, rows]).to.deep.equal([30, 60]);
    expect(pairs[0].protocol).to.match(/^paired over 60 cases of 30 users/);
    expect(protocols.markov.bootstrap.clusters).to.equal(30);
    for (const slice of slices) expect(slice.users).to.be.at.most(Math.min(30, slice.rows));
    expect(comparisonTable(comparison)).to.include('all 60 rows of 30 users');
    const study = await studyMethods({
      data,
      out: `${out}-study`,
      study: { arms: [{ name: 'M', method: 'markov' }] },
      split: 'test',
    });
    expect([study.users, study.rows]).to.deep.equal([30, 60]);
    expect(studyTable(study).split('\n')[0]).to.include('60 rows of 30 users of the test split');
  });

  it('refuses to choose between several rules for items seen', async () => {
    const [data, out] = [join(folder.path, 'data'), join(folder.path, 'out')];
    await writeSmallShop(data);
    const options: CompareOptions = { data, out, config, methods: ['popularity', 'markov'] };
    await trainRun({ data, out: join(out, 'popularity'), method: 'popularity', config, seen: 'exclude' });
    await trainRun({ data, out: join(out, 'markov'), method: 'markov', config, seen: 'allow' });
    expect(await messageOf(compareMethods(options))).to.equal(
      `compareMethods: seen must be the same for every run at ${out}, got exclude of popularity and allow of markov; ` +
        'say which in seen',
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
