import { expect } from 'chai';
import fc from 'fast-check';
import { encodeTitles, normalizeTitle } from '../../src/tokenizers/item_titles';
import { byteTokenizer } from '../support/byte_tokenizer';

describe('normalizeTitle', () => {
  it('makes each run of white space and control characters one space, and none at the ends', () => {
    expect(normalizeTitle('  3-IN-ONE \t Oil,\u00a04 OZ\r\n')).to.equal('3-IN-ONE Oil, 4 OZ');
    expect(normalizeTitle('\ufeffa\u0000\u2028b\u3000')).to.equal('a b');
  });

  it('composes letters and their marks, so that one look has one form', () => {
    expect(normalizeTitle('Cafe\u0301 \u1112\u1161\u11ab')).to.equal('Café 한');
  });

  it('keeps every script, joiners and emoji', () => {
    for (const title of ['電動ドリル 18V', 'مثقاب كهربائي', 'ड्रिल मशीन', '👩‍🔧 tool'])
      expect(normalizeTitle(title)).to.equal(title);
  });

  it('replaces half of a surrogate pair and keeps whole pairs', () => {
    expect(normalizeTitle('a\ud83db 🔧')).to.equal('a\ufffdb 🔧');
  });

  it('is empty for what says nothing', () => {
    for (const title of [null, undefined, '', ' \n\u0007\u00a0']) expect(normalizeTitle(title)).to.equal('');
  });
});

describe('encodeTitles', () => {
  const tokenizer = byteTokenizer({ extra: ['<|user|>'] }).addTokens(['<a_1>']);
  const textOf = (tokens: Int32Array | null): string =>
    tokenizer.decode(tokens as Int32Array, { skipSpecialTokens: true });

  it('gives the tokens of the title by itself, and null for none', () => {
    // without merges a token is a byte
    expect(encodeTitles(tokenizer, ['AB', null, ' '])).to.deep.equal([Int32Array.of(65, 66), null, null]);
  });

  it('gives back every title of any Unicode in its normal form, and one token sequence to each', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary', minLength: 1 }), { maxLength: 5 }), (titles) => {
        encodeTitles(tokenizer, titles, { reservedTokens: ['<a_1>'] }).forEach((tokens, item) =>
          expect(tokens === null ? '' : textOf(tokens)).to.equal(normalizeTitle(titles[item])),
        );
      }),
      { seed: 3, numRuns: 200 },
    );
  });

  it('writes special and reserved tokens as text, wherever they stand', () => {
    const titles = ['</s>', 'a</s></s>b', '<<s>>', 'x<|user|>y', 'Drill <a_1>', '<pad><a_1></s>'];
    encodeTitles(tokenizer, titles, { reservedTokens: ['<a_1>'] }).forEach((tokens, item) => {
      expect(Math.max(...(tokens as Int32Array)), titles[item]).to.be.below(256);
      expect(textOf(tokens)).to.equal(titles[item]);
    });
  });

  it('cuts a title after maxTitleTokens', () => {
    expect(encodeTitles(tokenizer, ['ABC', 'A'], { maxTitleTokens: 2 })).to.deep.equal([
      Int32Array.of(65, 66),
      Int32Array.of(65),
    ]);
  });

  it('refuses limits that are no positive integers, and a special token that cannot be taken apart', () => {
    expect(() => encodeTitles(tokenizer, ['a'], { maxTitleTokens: 0 })).to.throw(
      'encodeTitles: maxTitleTokens must be a positive integer, got 0',
    );
    expect(() => encodeTitles(tokenizer.addTokens(['©']), ['a', 'Drill ©'], { reservedTokens: ['©'] })).to.throw(
      'encodeTitles: a title must not hold a special token, got "©" in "Drill ©" of item 1; change the title',
    );
  });
});
