import { expect } from 'chai';
import fc from 'fast-check';
import { chainWindows, type HistoryWindow } from '../../src/data/window_chain';

const WIDTH = 3;
/** All windows of a sequence from its second item on, histories of at most three items. */
const windowsOf = (sequence: number[]): HistoryWindow[] =>
  sequence.slice(1).map((target, i) => ({ history: sequence.slice(Math.max(0, i + 1 - WIDTH), i + 1), target }));

describe('chainWindows', () => {
  it('gives back the sequence its windows came from, repeated items included', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 2, maxLength: 14 }), (sequence) => {
        expect(chainWindows(windowsOf(sequence))).to.deep.equal({ sequence, gaps: 0 });
      }),
    );
  });
  it('puts windows of different items in order', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer(), { minLength: 2, maxLength: 12 }),
        fc.array(fc.nat(), { minLength: 12, maxLength: 12 }),
        (sequence, keys) => {
          const shuffled = windowsOf(sequence)
            .map((window, i) => ({ window, key: keys[i] }))
            .sort((a, b) => a.key - b.key)
            .map(({ window }) => window);
          expect(chainWindows(shuffled).sequence).to.deep.equal(sequence);
        },
      ),
    );
  });
  it('starts where the first window starts when earlier ones are missing', () => {
    expect(chainWindows(windowsOf([1, 2, 3, 4, 5, 6, 7]).slice(4))).to.deep.equal({
      sequence: [3, 4, 5, 6, 7],
      gaps: 0,
    });
  });
  it('bridges a missing window by the overlap and counts windows without one', () => {
    expect(
      chainWindows([
        { history: [1, 2], target: 3 },
        { history: [3, 4], target: 5 },
      ]),
    ).to.deep.equal({ sequence: [1, 2, 3, 4, 5], gaps: 0 });
    expect(
      chainWindows([
        { history: [1, 2], target: 3 },
        { history: [8, 9], target: 7 },
      ]),
    ).to.deep.equal({ sequence: [1, 2, 3, 8, 9, 7], gaps: 1 });
  });
  it('counts a window that is there twice once', () => {
    expect(
      chainWindows([
        { history: [1], target: 2 },
        { history: [1], target: 2 },
      ]),
    ).to.deep.equal({ sequence: [1, 2], gaps: 0 });
  });
});
