import { expect } from 'chai';
import { readLcRec, type LcRecFiles } from '../../src/data/lc_rec';
import type { InteractionData } from '../../src/data/types';

const INDEX = '{"0": ["<a_1>", "<b_2>"], "1": ["<a_1>"], "2": ["<a_3>", "<b_2>"]}';
const read = (inter: string, index: string | null = INDEX, item?: string): InteractionData =>
  readLcRec({
    inter: { name: 'Toys.inter.json', text: inter },
    ...(index !== null && { index: { name: 'Toys.index.json', text: index } }),
    ...(item !== undefined && { item: { name: 'Toys.item.json', text: item } }),
  } as LcRecFiles);

describe('readLcRec', () => {
  it('keeps every key of the index as an item, interacted with or not, and semantic ids of unequal length', () => {
    const data = read('{"7": [0, "1", 0], "ü": [1]}');
    expect(data.name).to.equal('Toys');
    expect(data.itemIds).to.deep.equal(['0', '1', '2']);
    expect(data.userIds).to.deep.equal(['7', 'ü']);
    expect(data.sequences.map((sequence) => [...sequence])).to.deep.equal([[0, 1, 0], [1]]);
    expect(data.semanticIds).to.deep.equal([['<a_1>', '<b_2>'], ['<a_1>'], ['<a_3>', '<b_2>']]);
    expect(data.titles).to.equal(undefined);
  });
  it('reads titles, null where there is none, and says which items have no semantic id', () => {
    const data = read(
      '{"u": [0]}',
      INDEX,
      '{"0": {"title": " Bläser—Set "}, "1": {"title": ""}, "9": {"title": "Lost"}}',
    );
    expect(data.titles).to.deep.equal(['Bläser—Set', null, null]);
    expect(data.notes).to.deep.equal(['1 items of Toys.item.json have no semantic id and were left out.']);
  });
  it('takes the items of item file and interactions where there is no index', () => {
    const data = read('{"u": [5, 3]}', null, '{"3": {"title": "Drum"}}');
    expect(data.itemIds).to.deep.equal(['3', '5']);
    expect(data.semanticIds).to.equal(undefined);
    expect(data.titles).to.deep.equal(['Drum', null]);
  });
  it('keeps ids beyond 2^53 - 1 apart, as numbers, texts and keys', () => {
    const data = read(
      '{"2033735037361704961": [9007199254740992, "9007199254740993"], "2033735037361704962": [9007199254740993.0]}',
      '{"9007199254740992": ["<a_0>", "<b_0>"], "9007199254740993": ["<a_0>", "<b_1>"]}',
      '{"9007199254740993": {"title": "B"}}',
    );
    expect(data.userIds).to.deep.equal(['2033735037361704961', '2033735037361704962']);
    expect(data.sequences.map((items) => [...items])).to.deep.equal([[0, 1], [1]]);
    expect(data.titles).to.deep.equal([null, 'B']);
  });
  it('says which ids had space around them, or look alike', () => {
    expect(read('{"u": [1, " 1", "1.0"]}', null).notes).to.deep.equal([
      '1 ids of Toys.inter.json had surrounding space, which was removed.',
      'The item ids 1 and 1.0 are text and therefore two; write them alike if they are one.',
    ]);
  });
  it('takes another title only where there is none, and no brand', () => {
    const titles = (item: string): unknown => read('{"u": [0]}', INDEX, `{"0": ${item}}`).titles?.[0];
    expect(titles('{"brand_name": "Acme", "item_name": "Tent"}')).to.equal('Tent');
    expect(titles('{"name": "Tent", "Title": "Red tent"}')).to.equal('Red tent');
    expect(titles('{"brand": "Acme", "store_name": "Shop"}')).to.equal(null);
    expect(() => titles('{"title": "A", "Title": "B"}')).to.throw(
      'readLcRec: Toys.item.json item "0" must have only one title, got "title" and "Title"; name the right one "title" and remove others',
    );
    expect(() => titles('{"title": "A", "title": "B"}')).to.throw('must not repeat a key, got "title"');
  });
  it('refuses ids that are none', () => {
    for (const value of ['null', 'true', '""', '{}', '[0]', '1.5', '"NaN"', '"0x10"'])
      expect(() => read(`{"u": [0, ${value}]}`)).to.throw(
        `readLcRec: Toys.inter.json user "u" must list items by number or text, got ${value} at place 1`,
      );
    for (const value of ['NaN', '0x10', '01'])
      expect(() => read(`{"u": [0, ${value}]}`)).to.throw('Toys.inter.json line 1 column');
    expect(() => read(`{"u": [${'['.repeat(100_000)}${']'.repeat(100_000)}]}`)).to.throw(
      'user "u" must list items by number or text, got [[[[',
    );
  });
  it('names user, place, value and rule', () => {
    expect(() => read('{"u": [0, 9]}')).to.throw(
      'readLcRec: Toys.inter.json user "u" must have only items of Toys.index.json, got "9" at place 1; use the index.json made for these interactions',
    );
    expect(() => read('{"u": 3}')).to.throw(
      'readLcRec: Toys.inter.json user "u" must have a list of items, got 3; write the items in time order',
    );
    expect(() => read('{"u": [1.5]}')).to.throw('user "u" must list items by number or text, got 1.5 at place 0');
    expect(() => read('{}')).to.throw('Toys.inter.json must have at least one user, got an empty object');
    expect(() => read('{"u": [0]}', '{"0": "<a_1>"}')).to.throw(
      'Toys.index.json item "0" must have a list of tokens such as ["<a_1>","<b_7>"], got "<a_1>"; write its semantic id',
    );
    expect(() => read('{"u": [0]}', '{"0": []}')).to.throw('item "0" must have a list of tokens');
    expect(() => read('{"u": [0]}', '{}')).to.throw('Toys.index.json must have at least one item');
    expect(() => read('{"u": [0]}', INDEX, '{"0": {"title": 7}}')).to.throw(
      'Toys.item.json item "0" must have a text as title, got 7',
    );
    expect(() => read('{"u": [0]}', INDEX, '{"0": "Drum"}')).to.throw(
      'Toys.item.json item "0" must be an object such as {"title":"..."}, got "Drum"',
    );
  });
});
