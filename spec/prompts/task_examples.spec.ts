import { expect } from 'chai';
import fc from 'fast-check';
import { type DrawOptions, drawExamples, type TaskExample } from '../../src/prompts/task_examples';
import { TASK_NAMES } from '../../src/prompts/templates';

function draw(options: Partial<DrawOptions>): TaskExample[] {
  return drawExamples({
    sequences: [],
    hasTitle: [],
    weights: {},
    numTemplates: () => 1,
    minHistory: 1,
    seed: 0,
    epoch: 0,
    ...options,
  });
}

const placeOf = ({ sequence, at }: TaskExample): string => `${sequence}:${at}`;

describe('drawExamples', () => {
  it('makes every item with something before it a target once', () => {
    const drawn = draw({
      sequences: [[4, 1, 1], [2], [0, 3]],
      hasTitle: new Array(5).fill(true),
      weights: { nextItem: 1 },
    });
    expect(drawn.map(placeOf)).to.have.members(['0:1', '0:2', '2:1']);
    expect(
      draw({ sequences: [[4, 1, 1], [2]], hasTitle: [], weights: { nextItem: 1 }, minHistory: 0 }).map(placeOf),
    ).to.have.members(['0:0', '0:1', '0:2', '1:0']);
  });

  it('asks for titles and about titles of items that have one', () => {
    const drawn = draw({
      sequences: [[0, 1, 2]],
      hasTitle: [true, false, true],
      weights: { nextTitle: 1, idOfTitle: 1, titleOfId: 1 },
    });
    expect(drawn.map((each) => `${each.task} ${placeOf(each)}`)).to.have.members([
      'nextTitle 0:2',
      'idOfTitle -1:0',
      'idOfTitle -1:2',
      'titleOfId -1:0',
      'titleOfId -1:2',
    ]);
  });

  it('deals every example equally often over the epochs, to within one', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 23 }),
        fc.double({ min: 0.05, max: 2.5, noNaN: true }),
        fc.integer({ min: 1, max: 7 }),
        fc.integer(),
        (numItems, weight, epochs, seed) => {
          const times = new Map<number, number>();
          const sizes = new Set<number>();
          for (let epoch = 0; epoch < epochs; epoch++) {
            const drawn = draw({
              hasTitle: new Array(numItems).fill(true),
              weights: { titleOfId: weight },
              seed,
              epoch,
            });
            sizes.add(drawn.length);
            for (const { at } of drawn) times.set(at, (times.get(at) ?? 0) + 1);
          }
          expect([...sizes]).to.deep.equal([Math.round(weight * numItems)]);
          const counts = Array.from({ length: numItems }, (_, item) => times.get(item) ?? 0);
          expect(Math.max(...counts) - Math.min(...counts)).to.be.at.most(1);
        },
      ),
      { seed: 7 },
    );
  });

  it('draws the same for the same seed and epoch, other orders and templates for others', () => {
    const options = {
      sequences: [Array.from({ length: 40 }, (_, i) => i)],
      hasTitle: new Array(40).fill(true),
      weights: { nextItem: 1, nextTitle: 0.5 },
      numTemplates: () => 3,
    };
    expect(draw({ ...options, seed: 3, epoch: 2 })).to.deep.equal(draw({ ...options, seed: 3, epoch: 2 }));
    expect(draw({ ...options, seed: 3, epoch: 2 })).to.not.deep.equal(draw({ ...options, seed: 3, epoch: 1 }));
    expect(draw({ ...options, seed: 3, epoch: 2 })).to.not.deep.equal(draw({ ...options, seed: 4, epoch: 2 }));
  });

  it("draws each of a task's templates about equally often", () => {
    const counts = [0, 0, 0];
    for (let epoch = 0; epoch < 30; epoch++) {
      for (const { template } of draw({
        hasTitle: new Array(100).fill(true),
        weights: { idOfTitle: 1 },
        numTemplates: () => 3,
        epoch,
      }))
        counts[template]++;
    }
    for (const count of counts) expect(count).to.be.within(900, 1100); // 1000 each; a standard deviation is 26
  });

  it('draws nothing of a task without weight or templates', () => {
    const everything = Object.fromEntries(TASK_NAMES.map((task) => [task, 1]));
    expect(
      draw({ sequences: [[0, 1]], hasTitle: [true, true], weights: everything, numTemplates: () => 0 }),
    ).to.deep.equal([]);
    expect(draw({ sequences: [[0, 1]], hasTitle: [true, true], weights: { nextItem: 0 } })).to.deep.equal([]);
  });
});
