import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { Page } from 'playwright-core';
import { METHODS } from '../../src/methods/registry';
import { comparisonReport } from '../../src/report/comparison_report';
import { studyReport } from '../../src/report/study_report';
import { inChromium } from '../support/browser';
import { madeComparison, madeMethod, madePair } from '../support/comparison';
import { madeStudy } from '../support/study';

describe('a report in the browser', () => {
  let folder = '';
  const chromium = inChromium(async () => {
    folder = await mkdtemp(join(tmpdir(), 'report-'));
    const { protocols, ...rest } = madeComparison();
    const comparison = {
      ...rest,
      data: { ...rest.data, name: 'A_name_without_a_place_to_break_it_anywhere' },
      protocols: Object.fromEntries(METHODS.map((name) => [name, protocols.sft])),
      methods: METHODS.map((name, i) => madeMethod(name, 0.1 + i / 1000)),
      pairs: METHODS.flatMap((a, i) => METHODS.slice(0, i).map((b) => madePair({ a, b }))),
    };
    const command = 'ilrec compare --out /a/path/without/a/place/to/break/it/anywhere/at/all';
    const title = `On ${comparison.data.name}`;
    await writeFile(join(folder, 'comparison.html'), comparisonReport(comparison, { title, command }));
    await writeFile(join(folder, 'study.html'), studyReport(madeStudy(), { command }));
    return { '/reports/': folder };
  });
  after(async () => await rm(folder, { recursive: true, force: true }));

  /** Opens a report, and notes what it asks for. */
  async function open(name: string, width: number, colorScheme: 'light' | 'dark' = 'light'): Promise<[Page, string[]]> {
    const asked: string[] = [];
    const { page } = await chromium.open(`/reports/${name}.html`, {
      prepare: async (one) => {
        one.on('request', (request) => asked.push(new URL(request.url()).pathname));
        await one.setViewportSize({ width, height: 800 });
        await one.emulateMedia({ colorScheme });
      },
    });
    return [page, asked];
  }

  for (const name of ['comparison', 'study'])
    it(`asks for nothing and fits a phone, chart by chart: ${name}`, async () => {
      const [page, asked] = await open(name, 360);
      expect(asked).to.deep.equal([`/reports/${name}.html`]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).to.equal(360);
      const shown = page.locator('figure svg[role=img]:visible');
      expect(await shown.count()).to.equal(await page.locator('figure').count()); // one form of each chart
      const small = await page.evaluate(
        () =>
          [...document.querySelectorAll('figure .narrow svg[role=img] text')].filter((text) => {
            const { height } = text.getBoundingClientRect();
            return height > 0 && height < 9; // pixels
          }).length,
      );
      expect(small).to.equal(0);
    });

  it('hides a method by keyboard, in tables and charts', async () => {
    const [page] = await open('comparison', 1200);
    const rows = page.locator('tr.m0:visible');
    const marks = page.locator('figure g.m0:visible');
    expect(await rows.count()).to.be.above(3);
    expect(await marks.count()).to.be.above(3);
    await page.locator('#show-m0').focus();
    await page.keyboard.press('Space');
    expect([await rows.count(), await marks.count()]).to.deep.equal([0, 0]);
    expect(await page.locator('tr.m1:visible').count()).to.be.above(3);
  });

  it('has text that stands out from the paper, on light and on dark', async () => {
    for (const scheme of ['light', 'dark'] as const) {
      const [page] = await open('comparison', 1200, scheme);
      const [ink, paper] = await page.evaluate(() => {
        const light = (color: string): number => {
          const [r, g, b] = (color.match(/\d+/g) ?? []).map((part) => (Number(part) / 255) ** 2.2);
          return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const note = document.querySelector('figure .note') as Element;
        const card = document.querySelector('.card') as Element;
        return [light(getComputedStyle(note).color), light(getComputedStyle(card).backgroundColor)];
      });
      const [high, low] = [Math.max(ink, paper), Math.min(ink, paper)];
      expect((high + 0.05) / (low + 0.05), scheme).to.be.above(4.5); // WCAG's contrast of small text
    }
  });
});
