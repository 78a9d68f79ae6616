import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tfNode from '@tensorflow/tfjs-core';
import type * as tfc from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import type * as Ilrec from 'tfjs-ilrec';
import { trainRun } from '../../src/runs/train_run';
import { recommend } from '../../src/runs/recommend_run';
import '../support/backends';
import { inChromium } from '../support/browser';
import { smallConfig, writeSmallShop } from '../support/small_shop';

declare const tf: typeof tfc;
declare const ilrec: typeof Ilrec;

/** Item ids and probabilities of a list. */
type Listed = [item: string, probability: number | null][];

describe('Recommender in Chromium', () => {
  const history = ['gear-03', 'gear-11'];
  const expected: Record<string, Listed> = {};
  let folder = '';
  const chromium = inChromium(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ilrec-spec-'));
    await tfNode.setBackend('wasm');
    const data = join(folder, 'data');
    await writeSmallShop(data); // 40 items, 30 users
    for (const [name, style] of [
      ['items', 'items'],
      ['ids', 'ids'],
      ['titles', 'bigrec'],
    ] as const) {
      const items = style === 'bigrec' ? { vocabSize: 300, maxPromptTokens: 110, maxTitleTokens: 8 } : {};
      const config = smallConfig({ items: { style, ...items }, training: { epochs: 1 } });
      const { run } = await trainRun({ data, out: join(folder, name), method: 'sft', config });
      expected[name] = (await recommend({ run, history, k: 5 })).map(({ id, probability }) => [id, probability]);
    }
    return { '/pages/runs/': folder };
  });
  after(() => folder !== '' && rmSync(folder, { recursive: true, force: true }));

  for (const name of ['items', 'ids', 'titles'])
    it(`loads a run of the command line from a web server, by a relative address: ${name}`, async () => {
      const watched = await chromium.open('/pages/scripts.html');
      const { list, tensors } = await watched.page.evaluate(
        async ({ where, history }) => {
          await ilrec.useBackend('wasm');
          const before = tf.memory().numTensors;
          const recommender = await ilrec.Recommender.load(where);
          const found = await recommender.recommend(history, 5);
          recommender.dispose();
          const list = found.map(({ item, probability }) => [item, probability]) as Listed;
          return { list, tensors: tf.memory().numTensors - before };
        },
        { where: `runs/${name}`, history },
      );
      if (name === 'titles') watched.complaints(); // a checkpoint has optional files, which the browser reports
      expect(tensors).to.equal(0);
      expect(list.map(([item]) => item)).to.deep.equal(expected[name].map(([item]) => item));
      list.forEach(([, probability], i) => expect(probability).to.be.closeTo(expected[name][i][1] ?? NaN, 1e-6));
    });

  it('trains, and is there again after a reload where it was saved in the browser', async () => {
    const { page } = await chromium.open('/pages/scripts.html');
    const first = await page.evaluate(async (history) => {
      await ilrec.useBackend('wasm');
      const shop = ilrec.demoCatalogue({ numItems: 40, numUsers: 30, seed: 3 });
      const interactions = shop.sequences.flatMap((items, user) =>
        Array.from(items, (item, time) => ({ user: shop.userIds[user], item: shop.itemIds[item], time })),
      );
      const config = { model: { hiddenSize: 8 }, training: { epochs: 1, maxHistory: 6 } };
      const recommender = await ilrec.Recommender.fit(interactions, { method: 'sft', config, seed: 2 });
      await recommender.save('indexeddb://shop');
      await recommender.save('indexeddb://shop');
      return await recommender.recommend(history, 5);
    }, history);
    expect(first).to.have.length(5);
    await page.reload();
    const again = await page.evaluate(async (history) => {
      await ilrec.useBackend('wasm');
      const recommender = await ilrec.Recommender.load('indexeddb://shop');
      return [await recommender.recommend(history, 5), (await recommender.similar(history[0], 3)).length];
    }, history);
    expect(again).to.deep.equal([first, 3]);
  });

  it('says what is missing', async () => {
    const watched = await chromium.open('/pages/scripts.html');
    const messages = await watched.page.evaluate(async () => {
      await ilrec.useBackend('cpu');
      const messageOf = async (promise: Promise<unknown>): Promise<string> =>
        await promise.then(
          () => '',
          (error: Error) => `${error.name}: ${error.message}`,
        );
      const recommender = await ilrec.Recommender.fit(ilrec.demoCatalogue({ numItems: 40, numUsers: 30 }), {
        method: 'markov',
      });
      return [
        await messageOf(ilrec.Recommender.load('runs/nothing')),
        await messageOf(ilrec.Recommender.load('indexeddb://nothing')),
        await messageOf(recommender.save('shop')),
      ];
    });
    const whole =
      'must hold a whole run, got none of its file manifest.json; give the folder that `ilrec train --out` or save() wrote';
    expect(messages).to.deep.equal([
      `IlrecError: Recommender.load: runs/nothing ${whole}`,
      `IlrecError: Recommender.load: indexeddb://nothing ${whole}`,
      'IlrecError: Recommender.save: where must be indexeddb://NAME, got shop; import Recommender from tfjs-ilrec/node to save into a folder',
    ]);
    expect(watched.complaints()).to.have.length(1); // the browser reports the missing file
  });
});
