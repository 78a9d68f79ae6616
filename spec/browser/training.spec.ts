import { expect } from 'chai';
import { inChromium, type WatchedPage } from '../support/browser';
import { bundlePages } from '../support/bundled_pages';
import { skipBecause } from '../support/skip';
import type { Answer, Call } from '../support/pages/scenario';

/** Two ways to load the package; each is tried on the page and in a worker. */
const LOADED = [
  { how: 'script tags', page: '/pages/scripts.html', worker: 'a classic worker' },
  { how: 'a bundle of vite', page: '/bundled/index.html', worker: 'a module worker' },
] as const;

describe('in Chromium', () => {
  let bundled: { folder: string; remove(): void };
  const chromium = inChromium(async () => {
    bundled = await bundlePages();
    return { '/bundled/': bundled.folder };
  });
  after(() => bundled?.remove());

  for (const { how, page, worker } of LOADED) {
    for (const place of ['page', 'worker'] as const) {
      it(`trains, is stopped, goes on after a reload as if never stopped, and recommends: wasm, ${how}, ${place === 'page' ? 'the page itself' : worker}`, async () => {
        const watched = await chromium.open(page);
        const [whole, stopped] = await play(watched, place, { part: 'before', backend: 'wasm', run: 'shop' });
        await watched.page.reload();
        const [resumed] = await play(watched, place, { part: 'after', backend: 'wasm', run: 'shop' });
        expectOneTraining(whole, stopped);
        expect(resumed).to.deep.equal({ ...whole, losses: resumed.losses }); // bit for bit
        expect(resumed.losses).to.have.length(1);
      });
    }
  }

  describe('on WebGPU, whose programs are long in compiling without a GPU', () => {
    let watched: WatchedPage;
    let whole: Answer;

    it('trains, and is stopped: script tags, the page itself', async () => {
      watched = await chromium.open(LOADED[0].page, { kept: true }); // with what it stores
      const [first, stopped] = await play(watched, 'page', { part: 'before', backend: 'webgpu', run: 'shop' });
      expectOneTraining(first, stopped);
      whole = first;
    });

    for (const { how, page, worker } of LOADED) {
      for (const place of ['page', 'worker'] as const) {
        it(`goes on as if never stopped, and recommends: ${how}, ${place === 'page' ? 'the page itself' : worker}`, async function () {
          if (whole === undefined) skipBecause(this, 'the training before it failed');
          await watched.page.goto(chromium.origin + page);
          const [resumed] = await play(watched, place, { part: 'after', backend: 'webgpu', run: 'shop' });
          expect(resumed).to.deep.equal({ ...whole, losses: resumed.losses }); // bit for bit
          expect(resumed.losses).to.have.length(1);
        });
      }
    }
  });
});

/** Calls `window.play` of a loaded page. */
async function play({ page }: WatchedPage, place: 'page' | 'worker', call: Call): Promise<Answer[]> {
  await page.waitForFunction('window.play !== undefined');
  const answers = await page.evaluate(
    async ({ place, call }) => {
      const { play } = window as unknown as { play: Record<string, (call: unknown) => Promise<unknown>> };
      return JSON.stringify(await play[place](call));
    },
    { place, call },
  );
  return JSON.parse(answers) as Answer[];
}

/**
 * A training of four steps that learned and recommends items of the catalogue, and one that was stopped after three of
 * them.
 */
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
