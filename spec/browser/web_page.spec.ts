import { expect } from 'chai';
import { join } from 'node:path';
import type * as tfc from '@tensorflow/tfjs-core';
import type { Page } from 'playwright-core';
import { inChromium } from '../support/browser';
import { repository } from '../support/installed_package';

declare const tf: typeof tfc;
declare const ilrec: { constrainedBeamSearch: () => Promise<never> };

describe('the page of web/ in Chromium', () => {
  const chromium = inChromium(async () => ({
    '/web/': join(repository, 'web'),
    '/node_modules/': join(repository, 'node_modules'),
  }));

  /**
   * Stops the training after a step. The page clicks by itself: on a busy machine the training may end before a click
   * from here.
   */
  const stopAfter = async (page: Page, step: number): Promise<void> => {
    await page.waitForFunction((before) => {
      const now = Number(/step (\d+) of/.exec(document.querySelector('#status')?.textContent ?? '')?.[1]);
      if (now > before) document.querySelector<HTMLElement>('#stop')?.click();
      return now > before;
    }, step);
    await page.waitForSelector('#status:has-text("stopped")');
  };

  it('trains, stops, resumes after a reload, and recommends', async () => {
    const { page } = await chromium.open('/web/index.html');
    const status = page.locator('#status');
    await page.click('#train');
    await stopAfter(page, 4);
    const [, stoppedAt] =
      /^wasm: stopped and saved at step (\d+) of 240$/.exec((await status.textContent()) ?? '') ?? [];
    expect(await page.locator('#skipped li').allTextContents()).to.have.length(1); // the software adapter
    expect(await page.locator('#found li').count()).to.equal(8);

    await page.reload();
    expect(await page.locator('#recommend').isDisabled()).to.equal(true);
    const resume = page.locator(`#resume:has-text("Resume from step ${stoppedAt}"):enabled`);
    await resume.click();
    await stopAfter(page, Number(stoppedAt));
    const points = ((await page.locator('#curve .steps').getAttribute('d')) ?? '').split(/[ML]/).length - 1;
    expect(points).to.be.above(Number(stoppedAt)); // those before the reload too
  });

  /** Starts the training and clicks Stop before its first step. */
  const stopAtOnce = async (page: Page): Promise<void> => {
    await page.evaluate(() =>
      ['#train', '#stop'].forEach((name) => document.querySelector<HTMLElement>(name)?.click()),
    );
    await page.waitForSelector('#train:enabled');
  };

  it('stops where it was asked before the first step, and a second training leaves no tensor of the first', async () => {
    const { page } = await chromium.open('/web/index.html');
    const numTensors: number[] = [];
    for (let i = 0; i < 2; i++) {
      await stopAtOnce(page);
      expect(await page.locator('#status').textContent()).to.equal('wasm: stopped and saved at step 1 of 240');
      numTensors.push(await page.evaluate(() => tf.memory().numTensors));
    }
    expect(numTensors[1]).to.equal(numTensors[0]);
  });

  it('says what went wrong, in training, in recommending and where the checkpoint is looked for, and leaves no tensor of the optimizer', async () => {
    const { page } = await chromium.open('/web/index.html');
    await stopAtOnce(page);
    const before = await page.evaluate(() => tf.memory().numTensors);
    await page.evaluate(() => {
      ilrec.constrainedBeamSearch = async () => {
        throw Object.assign(new Error('no room to search'), { name: 'IlrecError' });
      };
    });
    await page.click('#recommend');
    await page.waitForSelector('#status:has-text("no room to search")');

    await page.evaluate(() => {
      IDBObjectStore.prototype.put = () => {
        throw new DOMException('full', 'QuotaExceededError');
      };
    });
    await stopAtOnce(page);
    expect(await page.locator('#status').textContent()).to.match(
      /^indexedDbStore: the browser must store the checkpoint, got QuotaExceededError: full; /,
    );
    // tfjs leaves the batch whose callback threw; the optimizer had two for each of the weights
    expect(await page.evaluate(() => tf.memory().numTensors)).to.be.below(before + 10);

    const { page: other } = await chromium.open('/web/index.html', {
      prepare: async (page) =>
        await page.addInitScript('Object.defineProperty(globalThis, "indexedDB", { value: null })'),
    });
    await other.waitForSelector('#status:has-text("the page must have IndexedDB, got none")');
  });
});
