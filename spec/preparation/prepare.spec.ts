import { expect } from 'chai';
import { prepareInteractions } from '../../src/preparation/prepare';
import { formatPrepareReport } from '../../src/preparation/prepare_report';
import type { InteractionData } from '../../src/data/types';

const toy = (): InteractionData => ({
  name: 'toy',
  itemIds: ['a', 'b', 'c', 'd'],
  userIds: ['u', 'v', 'w'],
  sequences: [Int32Array.of(0, 1, 2), Int32Array.of(2, 1, 0, 1, 2), Int32Array.of(0)],
  semanticIds: [['<a_0>', '<b_0>'], ['<a_0>', '<b_1>'], ['<a_1>'], ['<a_0>', '<b_0>']],
  notes: ['Read with care.'],
});

describe('prepareInteractions', () => {
  it('keeps given semantic ids and reports on everything', () => {
    const data = prepareInteractions(toy(), { maxHistory: 10 }, 'lc-rec');
    expect(data.semanticIds).to.deep.equal(toy().semanticIds);
    const { perplexity, ...ids } = data.report.semanticIds;
    expect(perplexity[0]).to.be.closeTo(Math.exp(-(0.75 * Math.log(0.75) + 0.25 * Math.log(0.25))), 1e-12);
    expect(perplexity[1]).to.be.closeTo(Math.exp(-(Math.log(2 / 3) * 2 + Math.log(1 / 3)) / 3), 1e-12);
    expect({ ...data.report, semanticIds: ids }).to.deep.equal({
      format: 'lc-rec',
      users: 2,
      items: 4,
      interactions: 8,
      kCore: 0,
      maxHistory: 10,
      dropped: { users: 1, items: 0, interactions: 1 },
      itemsWithoutInteractions: 1,
      sequenceLength: { min: 3, mean: 4, max: 5 },
      seed: 0,
      semanticIds: { source: 'given', levels: 2, codesUsed: [2, 2], distinct: 3, collisions: 1 },
      notes: ['Read with care.', '1 users with fewer than three interactions are dropped: leave-one-out needs three.'],
    });
  });
  it('makes semantic ids where there are none, and where asked to', () => {
    const { semanticIds: _, ...bare } = toy();
    const made = prepareInteractions(bare);
    expect(made.report.semanticIds.source).to.equal('k-means');
    expect(made.report.semanticIds.collisions).to.equal(0);
    const asked = prepareInteractions(toy(), { codebookSize: 2 });
    expect(asked.report.semanticIds.codebookSize).to.equal(2);
    expect(asked.report.notes).to.include(
      'New semantic ids replace those of the dataset, because levels, codebookSize or vectors were given.',
    );
  });
  it('filters before it makes semantic ids', () => {
    const data = prepareInteractions(toy(), { kCore: 2 });
    expect(data.itemIds).to.deep.equal(['a', 'b', 'c']);
    expect(data.semanticIds).to.have.length(3);
    expect(data.report.itemsWithoutInteractions).to.equal(0);
  });
  it('prints the report', () => {
    expect(
      formatPrepareReport('toy', prepareInteractions(toy(), { maxHistory: 10 }, 'lc-rec').report).split('\n'),
    ).to.deep.equal([
      'toy (lc-rec): 2 users, 4 items, 8 interactions',
      '  interactions per user: 3 to 5, mean 4.0; prompts show the last 10',
      '  dropped: 1 users, 0 items, 1 interactions',
      '  1 items have no interaction; they stay in the catalogue',
      "  semantic ids (from the dataset): 2 levels, 3 different ones, 1 items share another's",
      '    level 1: 2 codes used, perplexity 1.8',
      '    level 2: 2 codes used, perplexity 1.9',
      '  note: Read with care.',
      '  note: 1 users with fewer than three interactions are dropped: leave-one-out needs three.',
    ]);
    const { semanticIds: _, ...bare } = toy();
    expect(formatPrepareReport('toy', prepareInteractions(bare, { codebookSize: 2 }).report)).to.match(
      /level 1: 2 of 2 codes used, perplexity \d\.\d, \d+ % of the variance remains/,
    );
  });
  it('refuses options out of range', () => {
    expect(() => prepareInteractions(toy(), { kCore: -1 })).to.throw(
      'prepareInteractions: kCore must be an integer of 0 or more, got -1; 5 is usual, 0 is no filter',
    );
    expect(() => prepareInteractions(toy(), { levels: 26 })).to.throw(
      'prepareInteractions: levels must be an integer from 1 to 25, got 26; 3 is usual',
    );
    expect(() => prepareInteractions(toy(), { maxHistory: 0 })).to.throw(
      'prepareInteractions: maxHistory must be an integer of 1 or more, got 0',
    );
    expect(() => prepareInteractions(toy(), { seed: 0.5 })).to.throw('prepareInteractions: seed must be an integer');
    expect(() => prepareInteractions(toy(), { codebookSize: 9 })).to.throw(
      'makeSemanticIds: codebookSize must be an integer from 1 to the number of items (4), got 9; 4 is the default',
    );
  });
});
