import { expect } from 'chai';
import fc from 'fast-check';
import { holmAdjusted } from '../../src/evaluation/holm';

describe('holmAdjusted', () => {
  it('multiplies the smallest p by the number of tests, the next by one less, and never falls', () => {
    // sorted .01 .02 .03 .04 times 4 3 2 1: .04 .06 .06 .04, then the largest so far
    expectClose(holmAdjusted([0.02, 0.01, 0.04, 0.03]), [0.06, 0.04, 0.06, 0.06]);
  });

  it("gives the numbers of R's p.adjust", () => {
    // p.adjust(c(0.01, 0.005, 0.03, 0.5, 0.04), 'holm')
    expectClose(holmAdjusted([0.01, 0.005, 0.03, 0.5, 0.04]), [0.04, 0.025, 0.09, 0.5, 0.09]);
  });

  it('is at most 1, keeps equal p-values equal, and changes nothing where there is one test', () => {
    expectClose(holmAdjusted([0.6, 0.6, 0.9]), [1, 1, 1]);
    expectClose(holmAdjusted([0.001, 0.001]), [0.002, 0.002]);
    expectClose(holmAdjusted([0.2]), [0.2]);
    expectClose(holmAdjusted([]), []);
  });

  it('lies between the p-value and that of Bonferroni, and keeps the order', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 11 }), (pValues) => {
        const adjusted = holmAdjusted(pValues);
        pValues.forEach((p, i) => {
          expect(adjusted[i]).to.be.at.least(p);
          expect(adjusted[i]).to.be.at.most(Math.min(1, pValues.length * p) + 1e-12);
          pValues.forEach((other, j) => p < other && expect(adjusted[i]).to.be.at.most(adjusted[j]));
        });
      }),
    );
  });

  it('refuses what is no p-value', () => {
    expect(() => holmAdjusted([0.1, 1.5])).to.throw('holmAdjusted: pValues must be in [0, 1], got 1.5');
    expect(() => holmAdjusted([NaN])).to.throw('holmAdjusted: pValues must be in [0, 1], got NaN');
  });
});

function expectClose(values: Float64Array, expected: readonly number[]): void {
  expect(values).to.have.length(expected.length);
  expected.forEach((value, i) => expect(values[i]).to.be.closeTo(value, 1e-12));
}
