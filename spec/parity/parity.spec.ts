import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { expect } from 'chai';
import { skipBecause } from '../support/skip';
import { difference, GROUPS, type PlatformRun } from './parity_case';
import { platforms, reference } from './platforms';
import {
  platformTable,
  type PlatformResult,
  README_FILE,
  readResults,
  RESULTS_FILE,
  resultOf,
  withTable,
} from './platform_table';
import { parityCases } from './run_cases';

/** Set by `npm run platforms`, which writes the results into the README's table. */
const isToBeWritten = process.env.ILREC_WRITE_PLATFORMS === '1';

describe('parity of the platforms with the cpu backend', () => {
  let expected: PlatformRun;
  const results: PlatformResult[] = [];

  before(async () => {
    expected = await reference.open()(isToBeWritten);
    expect(expected.errors).to.deep.equal({});
    results.push(resultOf(reference.name, expected, expected));
  });

  for (const { name: platform, missing, open } of platforms) {
    describe(platform, () => {
      let found: PlatformRun;
      const run = missing === null ? open() : null;

      before(async function () {
        if (run === null) skipBecause(this, missing as string);
        found = await run(isToBeWritten);
        results.push(resultOf(platform, found, expected));
      });

      for (const { group, name, tolerance } of parityCases) {
        it(`${group}: ${name}`, () => {
          expect(found.errors[name]).to.equal(undefined);
          expect(difference(found.numbers[name], expected.numbers[name])).to.be.at.most(tolerance);
        });
      }

      it('has nothing else to complain of', () => {
        expect(found.errors).to.deep.equal({});
      });
    });
  }

  after(async () => {
    if (!isToBeWritten) return;
    const ran = results.map(({ platform }) => platform);
    const kept = readResults().filter(
      ({ platform }) => !ran.includes(platform) && platforms.some(({ name }) => name === platform),
    ); // of an earlier run
    const all = [...results, ...kept];
    await writeFile(RESULTS_FILE, `${JSON.stringify(all, null, 2)}\n`);
    await writeFile(README_FILE, withTable(readFileSync(README_FILE, 'utf8'), platformTable(all)));
  });
});

describe("the README's table of platforms", () => {
  it('is the one of docs/platforms.json', () => {
    const readme = readFileSync(README_FILE, 'utf8');
    expect(withTable(readme, platformTable(readResults()))).to.equal(readme);
  });

  it('is of the cases that there are', () => {
    for (const { platform, passed } of readResults()) {
      for (const group of GROUPS)
        expect(passed[group][1], `${platform}: ${group}; run npm run platforms`).to.equal(
          parityCases.filter((each) => each.group === group).length,
        );
    }
  });

  it('shows a case that failed', () => {
    const broken = {
      platform: 'x',
      passed: { losses: [8, 9], layers: [1, 1], training: [1, 1], 'beam search': [2, 2] } as const,
      largestShare: null,
      stepsPerSecond: 1,
    };
    expect(platformTable([broken])).to.match(/\| x +\| ✘ 12 of 13 \(losses 8 of 9\) \| ✘ +\| 1 +\|/);
  });
});
