import { expect } from 'chai';
import { join } from 'node:path';
import { inChromium } from '../support/browser';
import { repository } from '../support/installed_package';
import { textOf } from '../support/readme_program';

const CDN = 'https://cdn.jsdelivr.net/npm/';

describe('the page of docs/browser.md in Chromium', () => {
  const chromium = inChromium();

  it('trains, and has nothing left to do when it is opened again', async () => {
    const [, program] = /^```html\n([\s\S]*)<\/script>\n```/m.exec(textOf('docs/browser.md')) ?? [];
    const steps: string[] = [];
    const { page } = await chromium.open('/pages/readme.html', {
      prepare: async (page) => {
        page.on('console', (message) => {
          if (message.type() === 'log') steps.push(message.text());
        });
        await page.route('**/readme.html', (route) =>
          route.fulfill({
            contentType: 'text/html',
            body: `<!doctype html><link rel="icon" href="data:,">${program} window.done = true;</script>`,
          }),
        );
        await page.route(`${CDN}**`, async (route) => {
          const file = route.request().url().slice(CDN.length);
          await route.fulfill({
            path: join(
              repository,
              file.startsWith('tfjs-ilrec/') ? file.slice('tfjs-ilrec/'.length) : `node_modules/${file}`,
            ),
            headers: { 'access-control-allow-origin': '*' },
          });
        });
      },
    });
    await page.waitForFunction('window.done');
    expect(steps.map((line) => Number(line.split(' ')[0]))).to.deep.equal([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const losses = steps.map((line) => Number(line.split(' ')[1]));
    expect(losses[8]).to.be.within(1, losses[0] - 0.1);
    await page.reload();
    await page.waitForFunction('window.done');
    expect(steps).to.have.length(9);
  });
});
