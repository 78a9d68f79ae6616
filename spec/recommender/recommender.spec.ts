import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { demoCatalogue } from '../../src/data/demo_catalogue';
import type { InteractionData } from '../../src/data/types';
import { readPlain } from '../../src/data/plain_table';
import type { MethodName } from '../../src/methods/registry';
import type { TrainConfigInput } from '../../src/methods/train_config';
import { prepareInteractions } from '../../src/preparation/prepare';
import { prepareData } from '../../src/preparation/prepare_data_node';
import type { FitProgress } from '../../src/recommender/recommender';
import { Recommender } from '../../src/recommender/recommender_node';
import type { Interaction } from '../../src/recommender/interactions';
import { evaluateRun } from '../../src/runs/evaluate_run';
import { recommend, similar } from '../../src/runs/recommend_run';
import { trainRun } from '../../src/runs/train_run';
import { folderSource } from '../../src/files/folder_source_node';
import { forEachDevice } from '../support/backends';
import { messageOf, temporaryFolder } from '../support/folders';
import { serveFolders } from '../support/static_server';

const shop = demoCatalogue({ numItems: 40, numUsers: 30, seed: 3 });
const small: TrainConfigInput = {
  model: { hiddenSize: 8 },
  training: { epochs: 2, maxHistory: 6, validationUsers: 10 },
  evaluation: { beamWidth: 5 },
};
const history = shop.itemIds.slice(3, 6);

/** The interactions of a dataset as rows, user after user. */
function rowsOf({ userIds, itemIds, titles = [], sequences }: InteractionData): Interaction[] {
  return sequences.flatMap((items, user) =>
    Array.from(items, (item, time) => ({ user: userIds[user], item: itemIds[item], time, title: titles[item] })),
  );
}

describe('Recommender', () => {
  const folder = temporaryFolder();
  const at = (name: string): string => join(folder.path, name);
  before(async () => await tf.setBackend('wasm'));

  /** A run of the command line on the same interactions. */
  async function commandLineRun(method: MethodName, config: TrainConfigInput, seed = 0): Promise<string> {
    await mkdir(at('shop'), { recursive: true });
    const cell = (text: unknown): string => `"${String(text).replaceAll('"', '""')}"`;
    const rows = rowsOf(shop);
    const table = (names: (keyof Interaction)[], of: Interaction[]): string =>
      [names.join(','), ...of.map((row) => names.map((name) => cell(row[name])).join(',')), ''].join('\n');
    await writeFile(at('shop/interactions.csv'), table(['user', 'item', 'time'], rows));
    const once = [...new Map(rows.map((row) => [row.item, row])).values()];
    await writeFile(at('shop/items.csv'), table(['item', 'title'], once));
    await prepareData({ format: 'csv', input: at('shop'), out: at('data') });
    const { run } = await trainRun({ data: at('data'), out: at(`cli-${method}`), method, config, seed });
    return run;
  }

  const ids: TrainConfigInput = { ...small, items: { style: 'ids' }, methods: { ilrec: { reward: 'markov' } } };
  const fused: TrainConfigInput = { ...small, evaluation: { fusion: { method: 'markov', weight: 0.5 } } };
  const cases: [name: string, method: MethodName, config: TrainConfigInput][] = [
    ['item tokens with its reward models', 'ilrec', small],
    ['semantic ids', 'ilrec', ids],
    ['another model in its lists', 'sft', fused],
    ['SASRec', 'sasrec', { ...small, methods: { sasrec: { hiddenSize: 8, numHiddenLayers: 1 } } }],
    ['counts', 'markov', small],
  ];
  for (const [name, method, config] of cases)
    it(`gives the lists of the command line, before and after it is saved, and leaves no tensor: ${name}`, async () => {
      const run = await commandLineRun(method, config, 5);
      const lists = await recommend({ run, history, k: 7 });
      const expected = lists.map(({ id, ...rest }) => ({ item: id, ...rest }));
      const before = tf.memory().numTensors;
      const fitted = await Recommender.fit(rowsOf(shop), { method, config, seed: 5 });
      expect(await fitted.recommend(history, 7)).to.deep.equal(expected);
      await fitted.save(at('saved'));
      await fitted.save(at('saved')); // replaces what it wrote
      fitted.dispose();
      expect(await recommend({ run: at('saved'), history, k: 7 })).to.deep.equal(lists);
      for (const where of [run, at('saved'), folderSource(run)]) {
        const loaded = await Recommender.load(where);
        expect(await loaded.recommend(history, 7)).to.deep.equal(expected);
        if (method !== 'markov') {
          const alike = await similar({ run, item: history[0], k: 3 });
          expect(await loaded.similar(history[0], 3)).to.deep.equal(
            alike.map(({ id, ...rest }) => ({ item: id, ...rest })),
          );
        }
        loaded.dispose();
      }
      expect(tf.memory().numTensors).to.equal(before);
    });

  it('loads a run over http, without a listing of its files, and saves what it loaded', async () => {
    const run = await commandLineRun('sft', fused);
    const server = await serveFolders({ '/runs/': folder.path });
    try {
      const loaded = await Recommender.load(`${server.origin}/runs/cli-sft/`);
      const lists = await loaded.recommend(history, 4);
      await loaded.save(at('copy'));
      loaded.dispose();
      const copy = await Recommender.load(at('copy'));
      expect(await copy.recommend(history, 4)).to.deep.equal(lists);
      copy.dispose();
      expect(lists.map(({ item }) => item)).to.deep.equal(
        (await recommend({ run, history, k: 4 })).map(({ id }) => id),
      );
    } finally {
      await server.close();
    }
  });

  it('trains a model that reads text, and saves its checkpoint', async () => {
    const before = tf.memory().numTensors;
    const config: TrainConfigInput = {
      ...small,
      items: { style: 'bigrec', vocabSize: 300, maxPromptTokens: 110, maxTitleTokens: 8 },
      model: { hiddenSize: 8, numHiddenLayers: 2, numAttentionHeads: 2 },
      training: { epochs: 1, batchSize: 64, validationUsers: 0 },
    };
    const fitted = await Recommender.fit(shop, { method: 'sft', config });
    const list = await fitted.recommend(history, 3);
    expect(await fitted.similar(history[0], 3)).to.have.length(3);
    await fitted.save(at('text'));
    fitted.dispose();
    const loaded = await Recommender.load(at('text'));
    expect(await loaded.recommend(history, 3)).to.deep.equal(list);
    loaded.dispose();
    expect(tf.memory().numTensors).to.equal(before);
  });

  it('takes rows without times in their order, data of a reader, and prepared data', async () => {
    const rows = rowsOf(shop);
    const lines = rows.map(({ user, item, time }) => `${user},${item},${Number(time)}\n`);
    const forms = [
      rows.map(({ user, item }) => ({ user, item })),
      rows.map(({ user, item, time }) => ({ user, item, time: new Date(1000 * Number(time)) })).reverse(),
      readPlain({ interactions: { name: 'shop.csv', text: `user,item,time\n${lines.join('')}` } }),
      prepareInteractions(shop),
    ];
    const scores: Map<string, number>[] = [];
    for (const interactions of forms) {
      const recommender = await Recommender.fit(interactions, { method: 'markov' });
      const list = await recommender.recommend(history, 40, { seen: 'allow' });
      scores.push(new Map(list.map(({ item, score }) => [item, score])));
      recommender.dispose();
    }
    for (const others of scores) expect(others).to.deep.equal(scores[0]);
  });

  it('finds items by title, lists the most popular ones without a history, and asks for many at once', async () => {
    const recommender = await Recommender.fit(shop, { method: 'markov' });
    const titles = history.map((id) => (shop.titles?.[shop.itemIds.indexOf(id)] ?? '').toUpperCase());
    const byId = await recommender.recommend(history);
    expect(byId).to.have.length(10);
    expect(await recommender.recommend(titles)).to.deep.equal(byId);
    expect(await recommender.recommend([...history, 'nothing'], 10, { skipUnknown: true })).to.deep.equal(byId);
    const cold = await recommender.recommend([], 40);
    const counts = new Map(recommender.items.map(({ id, count }) => [id, count]));
    const listed = cold.map(({ item }) => counts.get(item) as number);
    expect(listed).to.deep.equal([...listed].sort((a, b) => b - a));
    expect(cold.reduce((sum, { probability }) => sum + (probability ?? 0), 0)).to.be.closeTo(1, 1e-9);
    expect(await recommender.recommendAll([[], history], 10)).to.deep.equal([cold.slice(0, 10), byId]);
    recommender.dispose();
  });

  it('tells its progress, the reward models first', async () => {
    const seen: FitProgress[] = [];
    const recommender = await Recommender.fit(shop, { config: small, onProgress: (progress) => seen.push(progress) });
    recommender.dispose();
    expect([...new Set(seen.map(({ model }) => model))]).to.deep.equal(['reward', 'reward-2', 'ilrec']);
    const steps = seen.filter(({ model, validation }) => model === 'ilrec' && validation === null);
    expect(steps.map(({ step }) => step)).to.deep.equal(Array.from({ length: steps.length }, (_, i) => i + 1));
    expect(steps.at(-1)?.totalSteps).to.equal(steps.length);
    expect(steps[0].loss).to.be.above(0);
    const validated = seen.filter(({ model, validation }) => model === 'ilrec' && validation !== null);
    expect(validated).to.have.length(2);
    expect(validated[0].validation?.['ndcg@10']).to.be.within(0, 1);
  });

  it('rejects with the reason of the signal, and leaves no tensor', async () => {
    const before = tf.memory().numTensors;
    const controller = new AbortController();
    const onProgress = ({ model, step }: FitProgress): void => {
      if (model === 'ilrec' && step === 2) controller.abort(new Error('enough'));
    };
    expect(await messageOf(Recommender.fit(shop, { config: small, onProgress, signal: controller.signal }))).to.equal(
      'enough',
    );
    expect(await messageOf(Recommender.fit(shop, { config: small, signal: controller.signal }))).to.equal('enough');
    expect(tf.memory().numTensors).to.equal(before);
  });

  it('is a run that can be evaluated where the data came from a prepared folder', async () => {
    const run = await commandLineRun('markov', small);
    const { loadPrepared } = await import('../../src/preparation/prepared_folder_node');
    const fitted = await Recommender.fit(await loadPrepared(at('data')), { method: 'markov', config: small });
    await fitted.save(at('saved'));
    const [own, other] = [await evaluateRun({ run }), await evaluateRun({ run: at('saved'), data: at('data') })];
    expect(other['ndcg@10']).to.equal(own['ndcg@10']);
    expect(fitted.manifest.validation).to.deep.equal(
      (JSON.parse(await readFile(join(run, 'manifest.json'), 'utf8')) as typeof fitted.manifest).validation,
    );
  });

  it('explains mistakes', async () => {
    const rows = rowsOf(shop);
    const wrong = (interactions: unknown): Promise<unknown> => Recommender.fit(interactions as Interaction[]);
    expect(await messageOf(wrong('orders.csv'))).to.equal(
      'Recommender.fit: interactions must be a list of { user, item, time }, or what readPlain or prepareInteractions ' +
        'returned, got string',
    );
    expect(await messageOf(wrong([{ user: 'a', item: 2 ** 60, time: 1 }]))).to.equal(
      'Recommender.fit: interaction 0: item must hold ids that JSON keeps exact, got the number 1152921504606847000; ' +
        'write it in quotes',
    );
    expect(await messageOf(wrong([rows[0], { ...rows[1], time: undefined }]))).to.equal(
      'Recommender.fit: interaction 1 must have a time of the same kind as the first one, a number, got none; give ' +
        'numbers, dates, or no time at all',
    );
    const config = { ...small, methods: { ilrec: { rewardRun: 'runs/sasrec' } } };
    expect(await messageOf(Recommender.fit(shop, { config }))).to.equal(
      'Recommender.fit: config must leave out rewardRun, got runs/sasrec; trainRun takes the models of other runs',
    );
    expect(await messageOf(Recommender.load(at('nowhere')))).to.match(
      /^Recommender\.load: .+nowhere must hold a whole run, got none of its file manifest\.json; give the folder /,
    );
    const recommender = await Recommender.fit(shop, { method: 'popularity' });
    await writeFile(at('file'), '');
    await mkdir(at('full'));
    await writeFile(at('full/thesis.tex'), '');
    expect(await messageOf(recommender.save(at('file')))).to.match(/where must be a folder, got the file /);
    expect(await messageOf(recommender.save(at('full')))).to.match(/which holds thesis\.tex; choose another name$/);
    expect(await messageOf(recommender.save('indexeddb://shop'))).to.match(/the page must have IndexedDB, got none/);
    expect(await messageOf(recommender.similar(history[0]))).to.equal(
      "Recommender.similar: the run's method must have vectors of items, got popularity, which has none; use a run of " +
        'ilrec, sft or sasrec',
    );
    expect(await messageOf(recommender.recommend([], 41))).to.equal(
      'Recommender.recommend: k must be an integer from 1 to 40, got 41',
    );
    recommender.dispose();
    expect(await messageOf(recommender.recommend([]))).to.equal(
      'Recommender.recommend: the recommender must not be disposed, got one that is; load it again',
    );
  });

  forEachDevice(() => {
    it('trains, recommends, finds similar items and leaves no tensor', async () => {
      const before = tf.memory().numTensors;
      const config: TrainConfigInput = { ...small, training: { epochs: 1, maxHistory: 6, validationUsers: 0 } };
      const recommender = await Recommender.fit(shop, { method: 'sft', config });
      const list = await recommender.recommend(history, 40, { seen: 'allow' });
      expect(list.map(({ item }) => item)).to.have.members(shop.itemIds);
      expect(list.reduce((sum, { probability }) => sum + (probability ?? 0), 0)).to.be.closeTo(1, 1e-5);
      const alike = await recommender.similar(history[0], 39);
      expect(alike.map(({ item }) => item)).to.have.members(shop.itemIds.filter((id) => id !== history[0]));
      expect(alike[0].similarity).to.be.within(alike[38].similarity, 1 + 1e-9);
      recommender.dispose();
      expect(tf.memory().numTensors).to.equal(before);
    });
  });
});
