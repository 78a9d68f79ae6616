import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { gruMethod } from '../../examples/own_method';
import type { Method } from '../../src/methods/method';
import { readRunConfig } from '../../src/runs/run_json';
import { evaluateRun } from '../../src/runs/evaluate_run';
import { loadRun } from '../../src/runs/load_run';
import { recommend } from '../../src/runs/recommend_run';
import { trainRun, type TrainRunOptions, type TrainRunResult } from '../../src/runs/train_run';
import { compareMethods } from '../../src/runs/compare';
import '../support/backends';
import { messageOf, temporaryFolder } from '../support/folders';
import { writeSmallShop } from '../support/small_shop';

describe("a method of one's own @slow", () => {
  const folder = temporaryFolder();
  const methods = [gruMethod];
  const training = { epochs: 2, batchSize: 8, learningRate: 0.02, maxHistory: 6, validationUsers: 10 };
  const config = { training, methods: { gru: { units: 5 } } };
  let [data, out] = ['', ''];
  before(async () => await tf.setBackend('wasm'));
  beforeEach(async () => {
    [data, out] = [join(folder.path, 'data'), join(folder.path, 'run')];
    await writeSmallShop(data);
  });

  it('is one file of under 80 lines', () => {
    expect(readFileSync('examples/own_method.ts', 'utf8').split('\n').length).to.be.below(80);
  });

  it('trains, keeps its section of the config, evaluates, recommends, and leaves no tensor behind', async () => {
    const tensorsBefore = tf.memory().numTensors;
    const { manifest } = await trainRun({ data, out, method: gruMethod, config });
    expect(manifest).to.deep.include({ method: 'gru', status: 'done', steps: 14 });
    const kept = await readRunConfig(out, methods);
    expect((kept.methods as unknown as { gru: object }).gru).to.deep.equal({ units: 5 });
    expect((await evaluateRun({ run: out, methods })).users).to.equal(30);
    const { items, scorer, dispose } = await loadRun(out, { methods });
    expect(scorer?.numItems).to.equal(40);
    dispose();
    expect(await recommend({ run: out, methods, history: [items[3].id], k: 4 })).to.have.length(4);
    expect(tf.memory().numTensors).to.equal(tensorsBefore);
  });

  it('resumes with the losses of a run that was not interrupted', async () => {
    const whole = await trainRun({ data, out, method: gruMethod, config });
    const controller = new AbortController();
    const cut = join(folder.path, 'cut');
    const train = (signal?: AbortSignal): Promise<TrainRunResult> =>
      trainRun({
        data,
        out: cut,
        method: gruMethod,
        config,
        resume: true,
        signal,
        callbacks: () => [{ onStep: ({ step }) => (step === 3 ? controller.abort() : undefined) }],
      });
    expect((await train(controller.signal)).manifest).to.deep.include({ status: 'interrupted', steps: 3 });
    await train();
    expect(await weights(cut)).to.deep.equal(await weights(whole.run));
  });

  it('can be the reward of ILRec, and is compared in its place', async () => {
    const ilrec = { reward: 'gru', rewardWeight: 0.1, rewardModels: 1 };
    const model = { hiddenSize: 8, numHiddenLayers: 2, numAttentionHeads: 2 };
    const { methods: compared } = await compareMethods({
      data,
      out,
      methods: ['ilrec', gruMethod, 'popularity'],
      config: { training: { ...training, epochs: 1 }, model, methods: { gru: { units: 5 }, ilrec } },
    });
    expect(compared.map(({ method, title }) => [method, title])).to.deep.equal([
      ['popularity', 'Popularity'],
      ['gru', 'GRU'],
      ['ilrec', 'ILRec'],
    ]);
    const log = compared[2].runs[0].log.filter(({ kind }) => kind === 'step');
    expect(log.at(-1)).to.have.property('crr').that.is.above(0);
    const { methods: sections } = await readRunConfig(compared[2].runs[0].run, methods);
    expect(sections.ilrec.rewardRun).to.equal(compared[1].runs[0].run); // trained once
    const { users } = await evaluateRun({ run: compared[2].runs[0].run }); // without the other method at hand
    expect(users).to.equal(30);
  });

  it('is trained before a method that needs it, whatever its place in tables', async () => {
    const last = { ...gruMethod, order: 999 };
    const config = {
      training: { ...training, epochs: 1 },
      model: { hiddenSize: 8, numHiddenLayers: 2, numAttentionHeads: 2 },
      methods: { gru: { units: 5 }, ilrec: { reward: 'gru', rewardModels: 1 } },
    };
    const trained: string[] = [];
    const callbacks = (label: string): [] => (trained.push(label), []);
    const { methods: compared } = await compareMethods({ data, out, methods: [last, 'ilrec'], config, callbacks });
    expect(trained).to.deep.equal(['gru', 'ilrec']);
    expect(compared.map(({ method }) => method)).to.deep.equal(['ilrec', 'gru']);
  });

  it('is refused where it needs itself, directly or through another method', async () => {
    const needing = (name: string, method: string): Method => ({
      ...gruMethod,
      name,
      needs: () => [
        { role: 'teacher', method, kinds: ['item-scorer'], methodField: 'teacher', runField: 'teacherRun' },
      ],
    });
    const alone = trainRun({ data, out, method: needing('gru', 'gru') });
    expect(await messageOf(alone)).to.match(
      /must be one of sasrec, gru4rec, caser, got gru\n {2}→ at methods\.gru\.teacher/,
    );
    const pair = trainRun({ data, out, method: needing('a', 'b'), methods: [needing('b', 'a')] });
    expect(await messageOf(pair)).to.match(/must not need a itself, got b, which does/);
  });

  it('must be handed over to whoever loads its run, and its settings must follow its rules', async () => {
    const { run } = await trainRun({ data, out, method: gruMethod, config });
    expect(await messageOf(loadRun(run))).to.match(/^loadRun: method must be one of .*, got gru; pass your own method/);
    const wrong = { methods: { gru: { units: 0 } } };
    expect(
      await messageOf(trainRun({ data, out: join(folder.path, 'other'), method: gruMethod, config: wrong })),
    ).to.match(/^parseTrainConfig: config must follow the config's rules:\n[^]*methods\.gru\.units/);
    expect(await messageOf(trainRun({ data, out: join(folder.path, 'other'), method: 'sft', config }))).to.match(
      /Unrecognized key: "gru"/,
    );
  });

  it('is refused with one sentence where a field is missing or wrong, before anything is written', async () => {
    const wrong: [unknown, string][] = [
      [
        { ...gruMethod, name: undefined },
        'name must be lower-case letters, digits and hyphens, and start with a letter, got undefined',
      ],
      [{ ...gruMethod, title: undefined }, 'title of method "gru" must be a text, got undefined'],
      [
        { ...gruMethod, kind: 'foo' },
        'kind of method "gru" must be one of counts, item-scorer, language-model, got foo',
      ],
      [{ ...gruMethod, section: {} }, 'section of method "gru" must be a schema of zod 4, got [object Object]'],
      [{ ...gruMethod, load: undefined }, 'load of method "gru" must be a function, got undefined'],
      [
        { ...gruMethod, color: { light: 'red', dark: '</style>' } },
        'color.dark of method "gru" must be a CSS colour, got </style>',
      ],
    ];
    for (const [method, message] of wrong)
      expect(await messageOf(trainRun({ data, out, method: method as Method }))).to.equal(`trainRun: ${message}`);
    expect(await messageOf(trainRun({ data, out } as TrainRunOptions))).to.match(/^trainRun: method must be one of/);
    expect(existsSync(out)).to.equal(false);
  });

  it('is refused where what it builds or loads lacks a part, before anything is trained', async () => {
    const building = (change: object): Method => ({
      ...gruMethod,
      build: async (context) => ({ ...(await gruMethod.build(context as never)), ...change }),
    });
    const train = (method: Method): Promise<string> => messageOf(trainRun({ data, out, method, config }));
    expect(await train(building({ save: undefined }))).to.match(/^build of method "gru" must return save, a function/);
    expect(await train(building({ training: {} }))).to.match(/^build of method "gru" must return training\.model, or/);
    const nothing: Method = { ...gruMethod, build: async () => undefined as never };
    expect(await train(nothing)).to.equal('build of method "gru" must return a model');
    await trainRun({ data, out, method: gruMethod, config });
    const loading: Method = { ...gruMethod, load: async () => ({}) as never };
    expect(await messageOf(loadRun(out, { methods: [loading] }))).to.match(
      /^load of method "gru" must return recommender/,
    );
  });

  async function weights(run: string): Promise<number[]> {
    const { scorer, dispose } = await loadRun(run, { methods });
    const scores = scorer?.score([[1, 2, 3]]) as tf.Tensor2D;
    const values = Array.from(scores.dataSync());
    scores.dispose();
    dispose();
    return values;
  }
});

describe('docs/own-method.md', () => {
  it('shows the example files as they are', () => {
    const page = readFileSync('docs/own-method.md', 'utf8');
    for (const name of ['own_method', 'compare_own_method'])
      expect(page).to.include('```ts\n' + readFileSync(`examples/${name}.ts`, 'utf8') + '```');
  });
});
