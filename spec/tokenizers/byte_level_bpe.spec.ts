import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import * as fc from 'fast-check';
import { IlrecError } from '../../src/errors';
import { createRandom } from '../../src/random';
import { trainByteLevelBpe } from '../../src/tokenizers/byte_level_bpe';
import { TextTokenizer, type TokenizerJson } from '../../src/tokenizers/text_tokenizer';

const mergesOf = (json: TokenizerJson): string[] =>
  (json.model as { merges: [string, string][] }).merges.map((pair) => pair.join(' '));

describe('trainByteLevelBpe', () => {
  it('merges the most frequent pair first', () => {
    // words: "aab" 3 times, "ab" twice, "ba" once: ab 5, aa 3, ba 1; with ab merged: (a, ab) 3 times; then nothing
    // occurs twice
    const json = trainByteLevelBpe(['aab', 'aab', 'aab', 'ab', 'ab', 'ba'], { vocabSize: 300 });
    expect(mergesOf(json)).to.deep.equal(['a b', 'a ab']);
    expect(Object.keys((json.model as { vocab: object }).vocab)).to.have.length(258);
  });

  it('breaks ties by the tokens that came first, and counts pairs that overlap once', () => {
    expect(mergesOf(trainByteLevelBpe(['dc', 'ba', 'ab'], { vocabSize: 260, minFrequency: 1 }))).to.deep.equal([
      'a b',
      'b a',
      'd c',
    ]);
    // "aaaa": a a occurs 3 times by count, and merging leaves (aa, aa)
    expect(mergesOf(trainByteLevelBpe(['aaaa'], { vocabSize: 300, minFrequency: 1 }))).to.deep.equal(['a a', 'aa aa']);
  });

  it("learns the vocabulary and the merges that Hugging Face's trainer learns from the same texts", () => {
    const golden = JSON.parse(readFileSync(new URL('../golden/text_tokenizers.json', import.meta.url), 'utf8')) as {
      tokenizers: { gpt2: { tokenizer: TokenizerJson; cases: [string][] } };
      corpusSize: number;
    };
    const { tokenizer, cases } = golden.tokenizers.gpt2;
    const texts = cases.slice(0, golden.corpusSize).map(([text]) => text);
    const json = trainByteLevelBpe(texts, { vocabSize: 330, specialTokens: ['<|begin|>', '<|end|>'], minFrequency: 1 });
    expect(mergesOf(json)).to.deep.equal(mergesOf(tokenizer));
    expect((json.model as { vocab: object }).vocab).to.deep.equal((tokenizer.model as { vocab: object }).vocab);
  });

  it('depends on the texts as a set, not on their order', () => {
    const texts = ['red guitar', 'guitar strings', 'strings for a red violin', 'ギター', 'ギター弦'];
    const json = trainByteLevelBpe(texts, { vocabSize: 290 });
    for (const seed of [1, 2, 3])
      expect(trainByteLevelBpe(createRandom(seed).shuffle([...texts]), { vocabSize: 290 })).to.deep.equal(json);
  });

  it('fills the vocabulary exactly where the texts repeat enough, special tokens first', () => {
    const tokenizer = TextTokenizer.fromJSON(
      trainByteLevelBpe(
        Array.from({ length: 50 }, (_, i) => `guitar number ${i} with strings`),
        { vocabSize: 277, specialTokens: ['<pad>', '<eos>'] },
      ),
      { eos_token: '<eos>', pad_token: '<pad>' },
    );
    expect([tokenizer.vocabSize, tokenizer.padTokenId, tokenizer.eosTokenId, tokenizer.bosTokenId]).to.deep.equal([
      277,
      0,
      1,
      null,
    ]);
    expect(tokenizer.encode('guitar').length).to.be.below(6);
    expect([...tokenizer.encode('a<eos>')].at(-1)).to.equal(1);
  });

  it('writes any text of any script, and gives it back', () => {
    const tokenizer = TextTokenizer.fromJSON(
      trainByteLevelBpe(['guitar guitar', 'ギターギター'], { vocabSize: 270, specialTokens: ['<eos>'] }),
    );
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 40 }),
        (text) => tokenizer.decode(tokenizer.encode(text)) === text,
      ),
      { seed: 7, numRuns: 200 },
    );
    for (const text of ['🎸👩‍👩‍👧', '\u0000\u0001\ufeff', ' \t\r\n ', 'e\u0301 é', 'עברית العربية', '\u{10ffff}'])
      expect(tokenizer.decode(tokenizer.encode(text))).to.equal(text);
  });

  it('has 256 bytes and nothing else where there is no text', () => {
    const tokenizer = TextTokenizer.fromJSON(trainByteLevelBpe([], { vocabSize: 1000 }));
    expect(tokenizer.vocabSize).to.equal(256);
    expect(tokenizer.decode(tokenizer.encode('naïve 語'))).to.equal('naïve 語');
  });

  it('refuses a vocabulary without room and special tokens that mean something else', () => {
    const refusal =
      (options: Parameters<typeof trainByteLevelBpe>[1]): (() => unknown) =>
      () =>
        trainByteLevelBpe(['a'], options);
    expect(refusal({ vocabSize: 256, specialTokens: ['<eos>'] })).to.throw(
      IlrecError,
      'trainByteLevelBpe: vocabSize must be an integer from 257 (1 special tokens and 256 bytes) to 1048576, got 256',
    );
    expect(refusal({ vocabSize: 300.5 })).to.throw(IlrecError, 'got 300.5');
    for (const specialTokens of [[''], ['<a>', '<a>'], ['a']]) {
      expect(refusal({ vocabSize: 300, specialTokens })).to.throw(
        IlrecError,
        /^trainByteLevelBpe: specialTokens must be different texts of more than one byte, got ".*"; rename it$/,
      );
    }
  });
});
