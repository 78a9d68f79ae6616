import { expect } from 'chai';
import fc from 'fast-check';
import { SemanticIdTokenizer, type SemanticIdTokenizerJson } from '../../src/tokenizers/semantic_id_tokenizer';

describe('SemanticIdTokenizer', () => {
  it('orders the vocabulary by level, then code as a number, after the three special tokens', () => {
    const tokenizer = SemanticIdTokenizer.fromSemanticIds([['<a_10>', '<b_3>'], ['<a_9>', '<b_20>'], ['<a_10>']]);
    expect(tokenizer.vocabSize).to.equal(7);
    expect(Array.from({ length: 7 }, (_, id) => tokenizer.tokenToString(id))).to.deep.equal([
      '<pad>',
      '<bos>',
      '<eos>',
      '<a_9>',
      '<a_10>',
      '<b_3>',
      '<b_20>',
    ]);
    expect(tokenizer.itemTokens.map((tokens) => [...tokens])).to.deep.equal([[4, 5], [3, 6], [4]]);
    expect([tokenizer.padTokenId, tokenizer.bosTokenId, tokenizer.eosTokenId]).to.deep.equal([0, 1, 2]);
    expect(tokenizer.maxItemTokens).to.equal(2);
    expect(tokenizer.stringToToken('<b_20>')).to.equal(6);
    expect(tokenizer.stringToToken('<b_21>')).to.equal(undefined);
  });
  it('gives back every token of every item, also after JSON', () => {
    const token = fc.tuple(fc.constantFrom('a', 'b', 'é'), fc.nat(12)).map(([letter, code]) => `<${letter}_${code}>`);
    fc.assert(
      fc.property(
        fc.array(fc.array(token, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 20 }),
        (semanticIds) => {
          const tokenizer = SemanticIdTokenizer.fromSemanticIds(semanticIds);
          const again = SemanticIdTokenizer.fromJSON(JSON.parse(JSON.stringify(tokenizer)) as SemanticIdTokenizerJson);
          for (const each of [tokenizer, again]) {
            expect(
              semanticIds.map((_, item) => Array.from(each.encode(item), (id) => each.tokenToString(id))),
            ).to.deep.equal(semanticIds);
            expect(each.vocabSize).to.equal(3 + new Set(semanticIds.flat()).size);
          }
        },
      ),
    );
  });
  it('does not depend on the order of the items', () => {
    const one = SemanticIdTokenizer.fromSemanticIds([['<b>'], ['<a>', '<c_1>'], ['<a>', '<c_0>']]);
    const two = SemanticIdTokenizer.fromSemanticIds([['<a>', '<c_0>'], ['<a>', '<c_1>'], ['<b>']]);
    expect(one.toJSON().vocabulary).to.deep.equal(two.toJSON().vocabulary);
  });
  it('refuses what it cannot encode', () => {
    const tokenizer = SemanticIdTokenizer.fromSemanticIds([['<a_0>'], ['<a_1>']]);
    expect(() => SemanticIdTokenizer.fromSemanticIds([])).to.throw(
      'SemanticIdTokenizer.fromSemanticIds: there must be at least one item, got none',
    );
    expect(() => SemanticIdTokenizer.fromSemanticIds([['<a_0>'], []])).to.throw(
      'item 1 must have at least one token, got none',
    );
    expect(() => SemanticIdTokenizer.fromSemanticIds([['<eos>']])).to.throw(
      '<pad>, <bos>, <eos> must not be used in semantic ids, got "<eos>"; rename it',
    );
    expect(() => tokenizer.encode(2)).to.throw(
      'SemanticIdTokenizer.encode: item must be an item number from 0 to 1, got 2; look it up in itemIds',
    );
    expect(() => tokenizer.tokenToString(5)).to.throw(
      'SemanticIdTokenizer.tokenToString: id must be from 0 to 4, got 5',
    );
    expect(() => SemanticIdTokenizer.fromJSON({ ...tokenizer.toJSON(), version: 2 })).to.throw(
      'version must be 1, got 2',
    );
    expect(() => SemanticIdTokenizer.fromJSON({ ...tokenizer.toJSON(), items: [[3], [1]] })).to.throw(
      'SemanticIdTokenizer.fromJSON: item 1 must have token ids from 3 to 4, got [1]; make the tokenizer again',
    );
  });
});
