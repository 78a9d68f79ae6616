import { expect } from 'chai';
import { positivePmi } from '../../src/semantic_ids/co_occurrence';
import { makeItemVectors } from '../../src/semantic_ids/make_item_vectors';
import { titleFeatures } from '../../src/semantic_ids/title_features';

const cosine = ({ values, dim }: { values: Float32Array; dim: number }, a: number, b: number): number => {
  let dot = 0;
  for (let j = 0; j < dim; j++) dot += values[a * dim + j] * values[b * dim + j];
  return dot;
};

describe('positivePmi', () => {
  it('is the formula on two neighbours', () => {
    // c(0, 1) = c(1, 0) = 1, c(0) = c(1) = 1, sum of c^0.75 = 2: log 2 both ways; item 2 stands alone.
    const { rowStart, columns, values } = positivePmi([Int32Array.of(0, 1), Int32Array.of(2)], 3);
    expect([...rowStart]).to.deep.equal([0, 1, 2, 2]);
    expect([...columns]).to.deep.equal([1, 0]);
    expect(values[0]).to.be.closeTo(Math.log(2), 1e-12);
  });
  it('looks five steps far, no further, and never at the item itself', () => {
    const { rowStart, columns } = positivePmi([Int32Array.of(0, 1, 1, 1, 1, 2, 3)], 4);
    const row = (item: number): number[] => [...columns.slice(rowStart[item], rowStart[item + 1])];
    expect(row(0)).to.not.include(3);
    expect(row(1)).to.not.include(1);
    expect(row(2)).to.include(3);
  });
});

describe('titleFeatures', () => {
  const rows = titleFeatures(['Ultralight Tent', 'ultralight TENTS!', 'Fly Reel', null, '登山靴', '登山杖']);
  const similar = (a: number, b: number): number => {
    let dot = 0;
    for (let e = rows.rowStart[a]; e < rows.rowStart[a + 1]; e++)
      for (let f = rows.rowStart[b]; f < rows.rowStart[b + 1]; f++)
        if (rows.columns[e] === rows.columns[f]) dot += rows.values[e] * rows.values[f];
    return dot;
  };
  it('makes rows of length 1, empty without a title', () => {
    expect(similar(0, 0)).to.be.closeTo(1, 1e-12);
    expect(rows.rowStart[4] - rows.rowStart[3]).to.equal(0);
  });
  it('sees shared words and parts of words in any script', () => {
    expect(similar(0, 1)).to.be.greaterThan(0.3);
    expect(similar(0, 2)).to.be.lessThan(0.05);
    expect(similar(4, 5)).to.be.greaterThan(0.1);
  });
});

describe('makeItemVectors', () => {
  const itemIds = ['a', 'b', 'c', 'd', 'e'];
  const pad = [4, 4];
  const sequences = [
    [0, 1, ...pad],
    [0, 1, ...pad],
    [2, 3, ...pad],
    [2, 3, 2, ...pad],
    [1, 0, ...pad],
  ].map((sequence) => Int32Array.from(sequence));
  it('puts items near that occur near each other', () => {
    const vectors = makeItemVectors({ sequences, itemIds });
    expect(cosine(vectors, 0, 1)).to.be.greaterThan(cosine(vectors, 0, 2));
  });
  it('never sees the last two interactions of a user', () => {
    const vectors = makeItemVectors({ sequences, itemIds });
    expect(cosine(vectors, 4, 4)).to.equal(0);
    const other = makeItemVectors({
      sequences: sequences.map((sequence) => Int32Array.of(...sequence.slice(0, -2), 0, 3)),
      itemIds,
    });
    expect(other).to.deep.equal(vectors);
  });
  it('gives interactions and titles equal weight, and zeros to what an item lacks', () => {
    const vectors = makeItemVectors({ sequences, itemIds, titles: ['Drum', 'Drum', null, 'Flute', 'Flute'] });
    expect([0, 2, 4].map((item) => Number(cosine(vectors, item, item).toFixed(5)))).to.deep.equal([2, 1, 1]);
  });
  it('takes a catalogue of one item and no interactions at all', () => {
    expect([...makeItemVectors({ sequences: [Int32Array.of(0, 0, 0)], itemIds: ['a'] }).values]).to.deep.equal([0]);
  });
});
