import { expect } from 'chai';
import { createSchedule } from '../../src/optimizers/schedules';

describe('createSchedule', () => {
  it('climbs in equal steps, then follows half a cosine to zero', () => {
    const rate = createSchedule({ learningRate: 2, warmupSteps: 4, totalSteps: 12 });
    expect([0, 1, 2, 3].map(rate)).to.deep.equal([0.5, 1, 1.5, 2]);
    expect(rate(4)).to.equal(2);
    expect(rate(8)).to.be.closeTo(1, 1e-12); // half of the 8 steps: cos(pi / 2) = 0
    expect(rate(12)).to.be.closeTo(0, 1e-12);
  });

  it('falls in a straight line to the floor and stays there', () => {
    const rate = createSchedule({ kind: 'linear', learningRate: 1, totalSteps: 10, floor: 0.2 });
    expect(rate(5)).to.be.closeTo(0.6, 1e-12); // 0.2 + 0.8 / 2
    expect(rate(10)).to.be.closeTo(0.2, 1e-12);
    expect(rate(99)).to.be.closeTo(0.2, 1e-12);
  });

  it('ends half a cosine at the floor', () => {
    const rate = createSchedule({ kind: 'cosine', learningRate: 2, warmupSteps: 2, totalSteps: 10, floor: 0.25 });
    expect(rate(2)).to.equal(2);
    expect(rate(6)).to.be.closeTo(1.25, 1e-12); // half way between 2 and 0.5
    expect([10, 11].map(rate)).to.deep.equal([0.5, 0.5]);
  });

  it('stays constant after the warm-up', () => {
    const rate = createSchedule({ kind: 'constant', learningRate: 3, warmupSteps: 2, totalSteps: 5 });
    expect([0, 1, 2, 4, 50].map(rate)).to.deep.equal([1.5, 3, 3, 3, 3]);
  });

  it('refuses numbers out of range', () => {
    expect(() => createSchedule({ learningRate: 0, totalSteps: 1 })).to.throw(
      'createSchedule: learningRate must be above 0, got 0',
    );
    expect(() => createSchedule({ learningRate: 1, totalSteps: 0 })).to.throw(
      'createSchedule: totalSteps must be 1 or more, got 0',
    );
    expect(() => createSchedule({ learningRate: 1, totalSteps: 1, floor: 2 })).to.throw(
      'createSchedule: floor must be in [0, 1], got 2',
    );
  });
});
