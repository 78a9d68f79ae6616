import { expect } from 'chai';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { findChromium, launchChromium, openPage, type WatchedPage } from '../support/browser';
import { bundlePages } from '../support/bundled_pages';
import { buildWhereOld, repository } from '../support/installed_package';
import type { Answer, Call } from '../support/pages/scenario';
import { serveFolders, type StaticServer } from '../support/static_server';

const executable = findChromium();

/** Two ways to load the package, each on a page and in a worker of it. */
const LOADED = [
  { how: 'script tags', page: '/pages/scripts.html', worker: 'a classic worker' },
  { how: 'a bundle of vite', page: '/bundled/index.html', worker: 'a module worker' },
] as const;

describe('in Chromium', function () {
  this.timeout(120_000);
  let browser: Browser;
  let server: StaticServer;
  let bundled: { folder: string; remove(): void };

  before(async function () {
    if (executable === undefined) this.skip(); // no chromium, chromium-browser or google-chrome on PATH; CHROMIUM may name one
    buildWhereOld();
    bundled = await bundlePages();
    server = await serveFolders({
      '/pages/': join(repository, 'spec/support/pages'),
      '/packages/': join(repository, 'node_modules'),
      '/dist/': join(repository, 'dist'),
      '/bundled/': bundled.folder,
    });
    browser = await launchChromium(executable);
  });
  after(async () => {
    await browser?.close();
    await server?.close();
    bundled?.remove();
  });

  for (const { how, page, worker } of LOADED) {
    for (const place of ['page', 'worker'] as const) {
      it(`trains, is stopped, goes on after a reload as if never stopped, and recommends: wasm, ${how}, ${place === 'page' ? 'the page itself' : worker}`, async () => {
        const watched = await openPage(browser);
        const [whole, stopped] = await play(watched, server.origin + page, place, { part: 'before', backend: 'wasm', run: 'shop' });
        const [resumed] = await play(watched, server.origin + page, place, { part: 'after', backend: 'wasm', run: 'shop' });
        await watched.page.context().close();
        expectOneTraining(whole, stopped);
        expect(resumed).to.deep.equal({ ...whole, losses: resumed.losses }); // bit for bit
        expect(resumed.losses).to.have.length(1);
      });
    }
  }

  describe('on WebGPU, whose programs are long in compiling without a GPU', () => {
    let watched: WatchedPage;
    let whole: Answer;

    before(async () => (watched = await openPage(browser)));
    after(async () => await watched?.page.context().close());

    it('trains, and is stopped: script tags, the page itself', async () => {
      const [first, stopped] = await play(watched, server.origin + LOADED[0].page, 'page', { part: 'before', backend: 'webgpu', run: 'shop' });
      expectOneTraining(first, stopped);
      whole = first;
    });

    for (const { how, page, worker } of LOADED) {
      for (const place of ['page', 'worker'] as const) {
        it(`goes on as if never stopped, and recommends: ${how}, ${place === 'page' ? 'the page itself' : worker}`, async function () {
          if (whole === undefined) this.skip(); // the training before it failed
          const [resumed] = await play(watched, server.origin + page, place, { part: 'after', backend: 'webgpu', run: 'shop' });
          expect([resumed.backend, resumed.step, resumed.losses.length]).to.deep.equal(['webgpu', 4, 1]);
          expect(furthest(resumed.state, whole.state)).to.be.below(1e-5); // tfjs adds up an embedding's gradient in no fixed order there
          expect(furthest(resumed.scores, whole.scores)).to.be.below(1e-4);
          expect(resumed.items).to.deep.equal(whole.items);
        });
      }
    }
  });
});

/** Opens the page anew, has it play a part, and fails where it complained. */
async function play({ page, complaints }: WatchedPage, url: string, place: 'page' | 'worker', call: Call): Promise<Answer[]> {
  await page.goto(url);
  await page.waitForFunction('window.play !== undefined');
  const answers = await page.evaluate(async ({ place, call }) => {
    const { play } = window as unknown as { play: Record<string, (call: unknown) => Promise<unknown>> };
    return JSON.stringify(await play[place](call));
  }, { place, call });
  expect(complaints()).to.deep.equal([]);
  return JSON.parse(answers) as Answer[];
}

/** A training of four steps that learned and recommends items of the catalogue, and one that was stopped after three of them. */
function expectOneTraining(whole: Answer, stopped: Answer): void {
  expect([whole.step, stopped.step]).to.deep.equal([4, 3]);
  expect(whole.losses[1]).to.be.below(whole.losses[0]);
  expect(furthest(stopped.state, whole.state)).to.be.above(1e-3); // the step that was left makes a difference
  expect(new Set(whole.items).size).to.equal(8);
  for (const item of whole.items) expect(item).to.be.within(0, 39);
}

function furthest(a: readonly number[], b: readonly number[]): number {
  expect(a).to.have.length(b.length);
  return Math.max(...a.map((value, i) => Math.abs(value - b[i])));
}
