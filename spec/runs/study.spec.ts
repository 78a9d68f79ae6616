import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { parseTrainConfig } from '../../src/methods/train_config';
import { loadPrepared, writePrepared } from '../../src/preparation/prepared_folder_node';
import { studyReport } from '../../src/report/study_report';
import { studyTable } from '../../src/report/study_table';
import { compareMethods } from '../../src/runs/compare';
import { evaluateRun } from '../../src/runs/evaluate_run';
import { readRunConfig } from '../../src/runs/run_json';
import { needFolder } from '../../src/runs/run_paths';
import { studyMethods, type StudyInput, type StudyOptions } from '../../src/runs/study';
import { parseStudy } from '../../src/runs/study_file';
import '../support/backends';
import { messageOf, temporaryFolder } from '../support/folders';
import { writeSmallShop } from '../support/small_shop';

const config = { model: { hiddenSize: 8 }, training: { epochs: 1, maxHistory: 6, validationUsers: 0 } };

describe('studyMethods', () => {
  const folder = temporaryFolder();
  let data = '';
  before(async () => await tf.setBackend('wasm'));
  beforeEach(async () => {
    data = join(folder.path, 'data');
    await writeSmallShop(data); // 40 items, 30 users
  });
  const run = (study: StudyInput, options: Partial<StudyOptions> = {}): ReturnType<typeof studyMethods> =>
    studyMethods({ data, out: join(folder.path, 'study'), study, ...options });

  it('trains every arm with its own settings and seeds, and measures it against the first', async () => {
    const study: StudyInput = {
      method: 'sft',
      config: { ...config, seed: 3 },
      arms: [{ name: 'SFT' }, { name: 'Without items seen', config: { evaluation: { seen: 'exclude' } } }],
      grids: { 'training.learningRate': [0.01, 0.1] },
    };
    const started: string[] = [];
    const found = await run(study, { seeds: 2, onStart: (label) => started.push(label) });
    expect(found.arms.map(({ name }) => name)).to.deep.equal([
      'SFT',
      'Without items seen',
      'training.learningRate 0.01',
      'training.learningRate 0.1',
    ]);
    expect(started.slice(0, 2)).to.deep.equal(['SFT, seed 3', 'SFT, seed 4']);
    expect([found.split, found.users, found.seeds]).to.deep.equal(['valid', 30, [3, 4]]);
    expect(found.arms[0].differences).to.equal(null);
    const [, , low, high] = found.arms;
    expect(await Promise.all(low.runs.map(async (one) => (await readRunConfig(one.run)).training.learningRate)))
      .to.deep // each run
      .equal([0.01, 0.01]);
    for (const arm of [low, high]) {
      const { differences, mean } = arm;
      const { mean: first } = found.arms[0];
      expect(differences?.['ndcg@10'].difference).to.be.closeTo(mean['ndcg@10'] - first['ndcg@10'], 1e-12);
      const [from, to] = differences?.['ndcg@10'].ci95 ?? [NaN, NaN];
      expect(from).to.be.at.most(to);
    }
    expect(low.mean).not.to.deep.equal(high.mean);
    const lines = studyTable(found).split('\n');
    expect(lines[0]).to.equal('demo: 30 users of the valid split; backend wasm; seeds 3, 4');
    expect(lines[3].startsWith('SFT ')).to.equal(true);
    expect(lines[8]).to.match(/^Differences are to SFT, paired over users/);

    // costs, lists, slices and validations are those of a comparison
    expect(low.runs.map(({ seed, log }) => [seed, log.length > 0])).to.deep.equal([
      [3, true],
      [4, true],
    ]);
    expect(low.cost.secondsPerEpoch).to.be.above(0);
    expect(found.slices.flatMap(({ methods }) => methods.length)).to.deep.equal(found.slices.map(() => 4));
    expect(Object.keys(found.protocols)).to.deep.equal(found.arms.map(({ name }) => name));
    expect(studyReport(found)).to.include('Difference in NDCG@10 to SFT');

    // everything is there already
    const again = await run(study, { seeds: 2, callbacks: () => [{ onStep: () => expect.fail('trained again') }] });
    expect(again.arms.map(({ mean }) => mean)).to.deep.equal(found.arms.map(({ mean }) => mean));
  });

  it('gives the numbers of compare, for the same config', async () => {
    const { arms } = await run({ config, arms: [{ name: 'one', method: 'sft' }] });
    const { methods } = await compareMethods({
      data,
      out: join(folder.path, 'compared'),
      methods: ['sft'],
      split: 'valid',
      config,
    });
    expect(arms[0].mean['ndcg@10']).to.equal(methods[0].mean['ndcg@10']);
    expect(arms[0].mean).to.deep.equal(methods[0].mean);
    expect(arms[0].ci95).to.deep.equal(methods[0].ci95);
    expect(arms[0].lists).to.deep.equal(methods[0].lists);
  });

  it('leaves out what the data does not allow, with the reason, and what takes its run', async () => {
    const untitled = join(folder.path, 'untitled');
    const { titles = [], ...prepared } = await loadPrepared(data);
    const some = titles.map((title, item) => (item < 2 ? null : title));
    await writePrepared({ ...prepared, titles: some }, join(folder.path, 'some'));
    await writePrepared(prepared, untitled);
    const study: StudyInput = {
      method: 'sft',
      config,
      arms: [
        { name: 'tokens' },
        { name: 'titles', config: { items: { style: 'bigrec' } } },
        { name: 'after titles', runs: { 'training.initialWeights': 'titles' } },
        { name: 'not written', method: 'popularity', config: { items: { style: 'bigrec' } } },
      ],
    };
    const told: string[] = [];
    const onSkip: StudyOptions['onSkip'] = (skipped) => told.push(...skipped.map(({ name }) => name));
    const { arms, skipped } = await run(study, { data: untitled, onSkip });
    expect(arms.map(({ name }) => name)).to.deep.equal(['tokens', 'not written']);
    expect(skipped).to.deep.equal([
      { name: 'titles', reason: 'it names items by their titles, and the data has none' },
      { name: 'after titles', reason: 'it takes the run of "titles", which is left out' },
    ]);
    expect(told).to.deep.equal(['titles', 'after titles']);
    const [first, second, ...others] = study.arms;
    const swapped = { ...study, arms: [second, first, ...others] };
    expect(await messageOf(run(swapped, { data: join(folder.path, 'some'), out: join(folder.path, 'b') }))).to.equal(
      'studyMethods: the first arm must be possible on demo, got "titles": it names items by their titles, and 2 ' +
        'of 40 items have none; put another arm first',
    );
  });

  it('makes the negatives of the layers that an arm names', async () => {
    const ilrec = { penaltyWeight: 1, distillationWeight: 0, reward: null, rewardWeight: 0 };
    const arm = (name: string, layers: object): StudyInput['arms'][number] => ({
      name,
      config: { methods: { ilrec: { ...ilrec, ...layers } } },
    });
    const model = { hiddenSize: 8, numHiddenLayers: 4, numAttentionHeads: 2 };
    const { arms } = await run({
      config: { ...config, model },
      arms: [
        arm('last 2', { numNegativeLayers: 2 }),
        arm('the same', { negativeLayers: [2, 1] }),
        arm('first and last', { negativeLayers: [1, 3] }),
        arm('third', { negativeLayers: [3] }),
      ],
    });
    const losses = arms.map(({ runs }) => runs[0].log.flatMap((line) => (line.kind === 'step' ? [line.loss] : [])));
    expect(losses[1]).to.deep.equal(losses[0]);
    expect(new Set(losses.map((one) => one[0])).size).to.equal(3);
    const out = join(folder.path, 'deep');
    const deep = { config: { ...config, model }, arms: [arm('fourth', { negativeLayers: [1, 4] })] };
    expect(await messageOf(run(deep, { out }))).to.equal(
      'trainRun: methods.ilrec.negativeLayers must be at most 3, as the model has 4 blocks, got 4',
    );
    const twice = { config, arms: [arm('twice', { negativeLayers: [1, 1] })] };
    expect(await messageOf(run(twice, { out })))
      .to.include('negativeLayers')
      .and.include('must name each layer once');
  });

  it('starts from the run of another arm, or takes it as the reward', async () => {
    const { arms } = await run({
      config: { ...config, methods: { ilrec: { reward: 'sft', rewardModels: 1 } } },
      runs: { 'methods.ilrec.rewardRun': 'base' },
      arms: [
        { name: 'base', method: 'sft' },
        { name: 'more', method: 'sft', runs: { 'training.initialWeights': 'base' } },
        { name: 'rewarded' },
      ],
    });
    const [base, more, rewarded] = arms.map(({ runs }) => runs[0].run);
    expect((await readRunConfig(more)).training.initialWeights).to.equal(base);
    expect((await readRunConfig(rewarded)).methods.ilrec.rewardRun).to.equal(base);
    expect(existsSync(needFolder(rewarded, 'reward'))).to.equal(false);
  });

  it('does not take an evaluation of some users for one of all, nor a folder that holds something else', async () => {
    const study: StudyInput = { config, arms: [{ name: 'one', method: 'sft' }] };
    const { arms } = await run(study);
    await evaluateRun({ run: arms[0].runs[0].run, split: 'valid', users: 5 });
    expect((await run(study)).arms[0].mean).to.deep.equal(arms[0].mean);
    await mkdir(join(folder.path, 'used'));
    await writeFile(join(folder.path, 'used', 'notes.txt'), 'mine');
    expect(await messageOf(run(study, { out: join(folder.path, 'used') }))).to.match(
      /^studyMethods: out must be a new or empty folder, or that of a study, got .*used, which holds notes\.txt; choose/,
    );
  });

  it('refuses a study that cannot be run, before anything is trained', async () => {
    const arms = [{ name: 'a', method: 'sft' }];
    for (const [study, message] of [
      [{ arms: [] }, 'studyMethods: study must be a study, got arms: '],
      [{ arms, method: 'none' }, 'studyMethods: study: method must be one of ilrec, sft, '],
      [
        { arms: [...arms, { name: 'A!' }] },
        'studyMethods: study must give each arm a name of its own, got "A!" and "a"',
      ],
      [{ arms, runs: { 'training.initialWeights': 'b' } }, 'must name one of the arms, got "b"'],
      [
        { arms: [{ name: 'a', runs: { 'training.initialWeights': 'b' } }, { name: 'b' }] },
        'training.initialWeights of the arm "a" must take the run of an arm before it, got "b"',
      ],
      [{ arms, seeds: 2 }, 'studyMethods: study must be a study, got the file: '],
      [{ arms, config: { trainig: {} } }, 'trainig'],
    ] as const)
      expect(await messageOf(run(study as StudyInput))).to.include(message);
    expect(existsSync(join(folder.path, 'study'))).to.equal(false);
  });
});

describe('the studies of the package', () => {
  it('hold methods and settings that exist', async () => {
    const files = await readdir('configs/studies');
    expect(files.length).to.be.above(5);
    for (const file of files) {
      const arms = parseStudy(JSON.parse(await readFile(join('configs/studies', file), 'utf8')), file);
      for (const arm of arms) parseTrainConfig(arm.config, `${file}, ${arm.name}`);
    }
  });

  const ilrecOf = async (file: string): Promise<Record<string, unknown>[]> => {
    const arms = parseStudy(JSON.parse(await readFile(join('configs/studies', file), 'utf8')), file);
    return arms
      .filter(({ method }) => method === 'ilrec')
      .map(({ config: own }) => parseTrainConfig(own).methods.ilrec);
  };

  it('take each layer, pairs of them, and the last k', async () => {
    const layers = await ilrecOf('layers.json');
    expect(layers.map(({ negativeLayers, numNegativeLayers }) => negativeLayers ?? numNegativeLayers)).to.deep.equal([
      ...[[1], [2], [3], [1, 2], [1, 3], [2, 3], 3],
    ]);
  });

  it('change alpha, phi, lambda and mu', async () => {
    const grids = await ilrecOf('grids.json');
    for (const key of ['penaltyWeight', 'thresholdScale', 'distillationWeight', 'rewardWeight'])
      expect(new Set(grids.map((section) => section[key])).size, key).to.be.at.least(3);
    // phi counts only where there is a penalty
    for (const { thresholdScale, penaltyWeight } of grids)
      if (thresholdScale !== 1) expect(penaltyWeight).to.be.above(0);
  });

  it('write items as ids and as titles', async () => {
    const arms = parseStudy(JSON.parse(await readFile('configs/studies/styles.json', 'utf8')), 'styles.json');
    const styles = arms.map(({ config: own }) => parseTrainConfig(own).items.style);
    expect(new Set(styles)).to.deep.equal(new Set(['auto', 'ids', 'lc-rec', 'bigrec']));
  });
});
