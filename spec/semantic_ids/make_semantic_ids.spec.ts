import { expect } from 'chai';
import fc from 'fast-check';
import { demoCatalogue } from '../../src/data/demo_catalogue';
import { makeSemanticIds } from '../../src/semantic_ids/make_semantic_ids';
import { resolveCollisions } from '../../src/semantic_ids/resolve_collisions';
import { perplexityOf, reportSemanticIds } from '../../src/semantic_ids/semantic_id_report';

describe('resolveCollisions', () => {
  it('ranks items with the same codes by popularity, then number', () => {
    expect(
      resolveCollisions(
        [
          [1, 2],
          [1, 2],
          [3, 2],
          [1, 2],
        ],
        [4, 9, 1, 4],
      ),
    ).to.deep.equal({
      codes: [
        [1, 2, 1],
        [1, 2, 0],
        [3, 2, 0],
        [1, 2, 2],
      ],
      collisions: 2,
    });
  });
  it('adds nothing where no two items collide', () => {
    expect(
      resolveCollisions(
        [
          [1, 2],
          [2, 1],
        ],
        [0, 0],
      ),
    ).to.deep.equal({
      codes: [
        [1, 2],
        [2, 1],
      ],
      collisions: 0,
    });
  });
  it('makes any codes different and keeps them as prefixes', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(2), fc.nat(2), fc.nat(5)), { minLength: 1, maxLength: 40 }), (rows) => {
        const { codes, collisions } = resolveCollisions(
          rows.map(([a, b]) => [a, b]),
          rows.map(([, , count]) => count),
        );
        expect(new Set(codes.map((code) => code.join(' '))).size).to.equal(rows.length);
        codes.forEach((code, item) => expect(code.slice(0, 2)).to.deep.equal(rows[item].slice(0, 2)));
        expect(new Set(codes.map((code) => code.length)).size).to.equal(1);
        expect(collisions).to.equal(rows.length - new Set(rows.map(([a, b]) => `${a} ${b}`)).size);
      }),
    );
  });
});

describe('reportSemanticIds', () => {
  it('measures codes and collisions', () => {
    expect(perplexityOf([3, 3, 3, 3])).to.be.closeTo(4, 1e-12);
    expect(perplexityOf([7, 0])).to.equal(1);
    const { perplexity, ...rest } = reportSemanticIds([['<a_0>', '<b_0>'], ['<a_1>'], ['<a_0>', '<b_0>']], 'given');
    expect(rest).to.deep.equal({ source: 'given', levels: 2, codesUsed: [2, 1], distinct: 2, collisions: 1 });
    expect(perplexity[1]).to.equal(1);
  });
});

describe('makeSemanticIds', () => {
  const shop = demoCatalogue({ numItems: 120, numUsers: 300 });
  it('gives every item an id of its own, all of one length @slow', () => {
    for (const codebookSize of [2, 5, 16]) {
      const { semanticIds, report } = makeSemanticIds(shop, { codebookSize, levels: 2 });
      expect(new Set(semanticIds.map((tokens) => tokens.join(''))).size).to.equal(120);
      expect(new Set(semanticIds.map((tokens) => tokens.length)).size).to.equal(1);
      expect(report.collisions).to.equal(0);
      expect(report.codesUsed[0]).to.equal(codebookSize);
      expect(report.collisionsBeforeLastLevel).to.equal(
        120 - new Set(semanticIds.map((tokens) => tokens.slice(0, 2).join(''))).size,
      );
      expect(semanticIds[0][1]).to.match(/^<b_\d+>$/);
    }
  });
  it('puts items of the same kind under the same first codes more often than chance', () => {
    const { semanticIds } = makeSemanticIds(shop);
    const kind = (item: number): string => /(\S+), /.exec(shop.titles?.[item] as string)?.[1] ?? '';
    let same = 0;
    let pairs = 0;
    for (let a = 0; a < 120; a++)
      for (let b = 0; b < a; b++)
        if (semanticIds[a][0] === semanticIds[b][0]) {
          pairs++;
          if (kind(a) === kind(b)) same++;
        }
    expect(same / pairs).to.be.greaterThan(0.1); // chance: about 1 / 40
  });
  it('depends on the training part alone @slow', () => {
    const changed = {
      ...shop,
      sequences: shop.sequences.map((sequence) => Int32Array.of(...sequence.slice(0, -2), 0, 1)),
    };
    expect(makeSemanticIds(changed)).to.deep.equal(makeSemanticIds(shop));
  });
  it('takes vectors of any kind of list and refuses those that do not fit', () => {
    const data = { itemIds: ['x', 'y'], sequences: [Int32Array.of(0, 1, 0)] };
    const of = (x: number[], y: number[]) => () =>
      makeSemanticIds(data, {
        vectors: new Map([
          ['x', x],
          ['y', y],
        ]),
        levels: 1,
      });
    expect(of([1, 2], [3, 4])().report.collisionsBeforeLastLevel).to.equal(0);
    expect(of([1, 2], [1, 2])().semanticIds).to.deep.equal([
      ['<a_0>', '<b_0>'],
      ['<a_0>', '<b_1>'],
    ]);
    expect(of([1, 2], [3])).to.throw(
      'makeSemanticIds: vectors must all have the same length, 1 or more, got 1 for item "y" and 2 for "x"',
    );
    expect(of([], [])).to.throw('got 0 for item "x"');
    expect(of([1, NaN], [3, 4])).to.throw(
      'makeSemanticIds: vectors must be finite, got NaN at index 1 of item "x"; correct the vector',
    );
  });
  it('takes a catalogue of one item', () => {
    expect(makeSemanticIds({ itemIds: ['x'], sequences: [Int32Array.of(0, 0, 0)] }).semanticIds).to.deep.equal([
      ['<a_0>', '<b_0>', '<c_0>'],
    ]);
  });
});
