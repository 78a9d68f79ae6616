import { expect } from 'chai';
import { join } from 'node:path';
import { inChromium } from '../support/browser';
import { repository } from '../support/installed_package';

describe('the page of web/ in Chromium', function () {
  this.timeout(60_000);
  const chromium = inChromium(async () => ({ '/web/': join(repository, 'web'), '/node_modules/': join(repository, 'node_modules') }));

  it('trains, stops, resumes after a reload, and recommends', async () => {
    const { page } = await chromium.open('/web/index.html');
    const status = page.locator('#status');
    await page.click('#train');
    await page.waitForFunction(() => /step [5-9] of/.test(document.querySelector('#status')?.textContent ?? ''));
    await page.click('#stop');
    await page.waitForFunction(() => /stopped/.test(document.querySelector('#status')?.textContent ?? ''));
    const [, stoppedAt] = /^wasm: stopped and saved at step (\d+) of 240$/.exec((await status.textContent()) ?? '') ?? [];
    expect(await page.locator('#skipped li').allTextContents()).to.have.length(1); // the software adapter
    expect(await page.locator('#found li').count()).to.equal(8);

    await page.reload();
    expect(await page.locator('#recommend').isDisabled()).to.equal(true);
    const resume = page.locator(`#resume:has-text("Resume from step ${stoppedAt}"):enabled`);
    await resume.click();
    await page.waitForFunction((before) => Number(/step (\d+) of/.exec(document.querySelector('#status')?.textContent ?? '')?.[1]) > before, Number(stoppedAt));
    await page.click('#stop');
    await page.waitForFunction(() => /stopped/.test(document.querySelector('#status')?.textContent ?? ''));
    const points = ((await page.locator('#curve .steps').getAttribute('d')) ?? '').split(/[ML]/).length - 1;
    expect(points).to.be.above(Number(stoppedAt)); // those before the reload too
  });
});
