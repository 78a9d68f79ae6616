import { expect } from 'chai';
import type { Page } from 'playwright-core';
import type * as Ilrec from 'tfjs-ilrec';
import { inChromium } from '../support/browser';

declare const ilrec: typeof Ilrec;

describe('indexedDbStore in Chromium', () => {
  const chromium = inChromium();
  let page: Page;

  beforeEach(async () => {
    ({ page } = await chromium.open('/pages/no_backend.html', {
      prepare: async (page) => await page.addInitScript(defineHelpers),
    }));
  });

  it('has nothing to load at first', async () => {
    expect(await page.evaluate(async () => await ilrec.indexedDbStore('shop').loadLatest())).to.equal(null);
  });

  it('keeps the two newest checkpoints over a reload and loads the newest', async () => {
    await page.evaluate(async () => {
      const store = ilrec.indexedDbStore('shop');
      for (const step of [3, 9, 12, 100]) await store.save(snapshot(step, { earlyStopping: { best: step } }));
    });
    await page.reload();
    const loaded = await page.evaluate(async () => {
      const latest = await ilrec.indexedDbStore('shop').loadLatest();
      return [latest?.step, latest?.callbacks, [...(latest?.file.tensors.get('model.0')?.data ?? [])]];
    });
    expect(loaded).to.deep.equal([100, { earlyStopping: { best: 100 } }, [100]]);
    expect(await keysOf(page)).to.deep.equal([
      ['shop', 'step', 12],
      ['shop', 'step', 100],
    ]);
  });

  it('drops the later checkpoints and best weights of a run that was started again', async () => {
    const latest = await page.evaluate(async () => {
      const store = ilrec.indexedDbStore('shop');
      await store.saveBest(490, [{ shape: [1], data: Float32Array.of(490) }]);
      for (const step of [480, 500, 10, 20, 30]) await store.save(snapshot(step));
      return (await store.loadLatest())?.step;
    });
    expect(latest).to.equal(30);
    expect(await keysOf(page)).to.deep.equal([
      ['shop', 'step', 20],
      ['shop', 'step', 30],
    ]);
  });

  it('keeps the best weights that a kept checkpoint speaks of', async () => {
    const [best, missing] = await page.evaluate(async () => {
      const store = ilrec.indexedDbStore('shop');
      const weights = (value: number): Parameters<typeof store.saveBest>[1] => [
        { shape: [1], data: Float32Array.of(value) },
      ];
      await store.saveBest(2, weights(2));
      await store.save(snapshot(2));
      await store.saveBest(6, weights(6));
      await store.save(snapshot(6));
      await store.save(snapshot(8));
      return [[...(await store.loadBest(6))[0].data], await messageOf(store.loadBest(2))];
    });
    expect(best).to.deep.equal([6]);
    expect(missing).to.equal(
      'IlrecError: indexedDbStore: the best weights of step 2 of "shop" must exist because a checkpoint refers to them, got none; clear() the run and train again',
    );
  });

  it('clears its own run only', async () => {
    await page.evaluate(async () => {
      for (const name of ['shop', 'shop 2']) await ilrec.indexedDbStore(name).save(snapshot(1));
      await ilrec.indexedDbStore('shop').clear();
    });
    expect(await keysOf(page)).to.deep.equal([['shop 2', 'step', 1]]);
  });

  it('leaves the checkpoints as they were where one cannot be written, and says why', async () => {
    const message = await page.evaluate(async () => {
      const store = ilrec.indexedDbStore('shop', { keep: 1 });
      await store.save(snapshot(1));
      return await messageOf(store.save(snapshot(2, { progress: () => 0 })));
    });
    expect(message).to.match(
      /^IlrecError: indexedDbStore: the browser must store the checkpoint, got DataCloneError: .+; allow the site to store data in this browser$/,
    );
    expect(await keysOf(page)).to.deep.equal([['shop', 'step', 1]]);
  });

  it('says so where the browser has no room', async () => {
    const message = await page.evaluate(async () => {
      IDBObjectStore.prototype.put = () => {
        throw new DOMException('full', 'QuotaExceededError');
      };
      return await messageOf(ilrec.indexedDbStore('shop').save(snapshot(1)));
    });
    expect(message).to.equal(
      'IlrecError: indexedDbStore: the browser must store the checkpoint, got QuotaExceededError: full; free some space, or clear() finished runs',
    );
  });

  it('says so in a sandboxed frame, whose origin may keep nothing', async () => {
    await page.evaluate(async () => {
      const frame = Object.assign(document.createElement('iframe'), { src: location.href });
      frame.sandbox.add('allow-scripts');
      await new Promise((resolve) => {
        frame.onload = resolve;
        document.body.append(frame);
      });
    });
    const message = await page
      .frames()[1]
      .evaluate(async () => await messageOf(ilrec.indexedDbStore('shop').loadLatest()));
    expect(message).to.match(
      /^IlrecError: indexedDbStore: the browser must store the checkpoint, got SecurityError: .+; give the sandboxed frame allow-same-origin, or open the page directly$/,
    );
  });

  it('says so where there is no IndexedDB', async () => {
    const message = await page.evaluate(async () => {
      Object.defineProperty(globalThis, 'indexedDB', { value: null });
      return await messageOf(ilrec.indexedDbStore('shop').loadLatest());
    });
    expect(message).to.equal(
      'IlrecError: indexedDbStore: the page must have IndexedDB, got none; use a browser, and no private window if it forbids storage',
    );
  });

  it('refuses to keep none', async () => {
    expect(
      await page.evaluate(async () => await messageOf((async () => ilrec.indexedDbStore('shop', { keep: 0 }))())),
    ).to.equal('IlrecError: indexedDbStore: keep must be a positive integer, got 0');
  });
});

function defineHelpers(): void {
  const snapshot = (step: number, callbacks: Record<string, unknown> = {}): Ilrec.TrainingSnapshot => ({
    step,
    callbacks,
    file: { tensors: new Map([['model.0', { shape: [1], data: Float32Array.of(step) }]]), metadata: {} },
  });
  const messageOf = async (promise: Promise<unknown>): Promise<string> =>
    await promise.then(String, (error: Error) => `${error.name}: ${error.message}`);
  Object.assign(globalThis, { snapshot, messageOf });
}
declare function snapshot(step: number, callbacks?: Record<string, unknown>): Ilrec.TrainingSnapshot;
declare function messageOf(promise: Promise<unknown>): Promise<string>;

/** All keys of the database. */
async function keysOf(page: Page): Promise<unknown> {
  return await page.evaluate(
    () =>
      new Promise((resolve, reject) => {
        const opened = indexedDB.open('tfjs-ilrec');
        opened.onerror = () => reject(opened.error);
        opened.onsuccess = () => {
          const keys = opened.result.transaction('checkpoints').objectStore('checkpoints').getAllKeys();
          keys.onsuccess = () => resolve(keys.result);
        };
      }),
  );
}
