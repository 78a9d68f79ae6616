import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { IlrecError } from '../../src/errors';
import { TextTokenizer, type TokenizerJson } from '../../src/tokenizers/text_tokenizer';

/** Made by Hugging Face's tokenizers; see the file's `source`. */
interface Golden {
  tokenizers: Record<string, { tokenizer: TokenizerJson; cases: GoldenCase[]; casesWithAddedTokens: GoldenCase[] }>;
}
type GoldenCase = [
  text: string,
  ids: number[],
  withSpecialTokens: number[],
  decoded: string,
  decodedWithoutSpecialTokens: string,
];
const golden = JSON.parse(readFileSync(new URL('../golden/text_tokenizers.json', import.meta.url), 'utf8')) as Golden;
const gpt2 = golden.tokenizers.gpt2.tokenizer;

/** Words as tokens, unknown ones as <unk>. */
const words: TokenizerJson = {
  added_tokens: [],
  normalizer: null,
  pre_tokenizer: { type: 'WhitespaceSplit' },
  post_processor: null,
  decoder: { type: 'WordPiece', prefix: '##', cleanup: false },
  model: {
    type: 'WordPiece',
    unk_token: '<unk>',
    continuing_subword_prefix: '##',
    max_input_chars_per_word: 100,
    vocab: { '<unk>': 0, guitar: 1, string: 2, '##s': 3, '.': 4 },
  },
};

function expectCases(tokenizer: TextTokenizer, cases: readonly GoldenCase[]): void {
  for (const [text, ids, withSpecialTokens, decoded, decodedWithoutSpecialTokens] of cases) {
    expect([...tokenizer.encode(text)], text).to.deep.equal(ids);
    expect([...tokenizer.encode(text, { addSpecialTokens: true })], text).to.deep.equal(withSpecialTokens);
    expect(tokenizer.decode(ids), text).to.equal(decoded);
    expect(tokenizer.decode(Int32Array.from(ids), { skipSpecialTokens: true }), text).to.equal(
      decodedWithoutSpecialTokens,
    );
  }
}

describe('TextTokenizer', () => {
  for (const [name, { tokenizer, cases, casesWithAddedTokens }] of Object.entries(golden.tokenizers)) {
    it(`gives the ids and texts of Hugging Face's tokenizers for a tokenizer like ${name}'s, ${cases.length} texts of many scripts`, () => {
      expectCases(TextTokenizer.fromJSON(tokenizer), cases);
    });

    it(`does so with tokens added to ${name}'s`, () => {
      const added = TextTokenizer.fromJSON(tokenizer).addTokens(['<a_1>', '<b_22>', 'guitar']);
      expectCases(added, casesWithAddedTokens);
      expectCases(TextTokenizer.fromJSON(added.toJSON().tokenizer), casesWithAddedTokens);
    });
  }

  it('knows the special tokens that the config names, as texts or objects', () => {
    const of = (config: TokenizerJson): (number | null)[] => {
      const { bosTokenId, eosTokenId, padTokenId } = TextTokenizer.fromJSON(gpt2, config);
      return [bosTokenId, eosTokenId, padTokenId];
    };
    expect(
      of({ bos_token: '<|begin|>', eos_token: { content: '<|end|>', lstrip: false }, pad_token: null }),
    ).to.deep.equal([0, 1, null]);
    expect(of({})).to.deep.equal([null, null, null]);
    // transformers adds a token that no file has an id for
    expect(of({ eos_token: '<absent>', pad_token: '<absent>' })).to.deep.equal([null, 330, 330]);
  });

  it('counts the vocabulary to the highest id, added tokens included', () => {
    const tokenizer = TextTokenizer.fromJSON(gpt2);
    expect(tokenizer.vocabSize).to.equal(330);
    expect(tokenizer.idToToken(tokenizer.vocabSize - 1)).to.be.a('string');
    expect(tokenizer.idToToken(330)).to.equal(undefined);
    expect(tokenizer.tokenToId('<|end|>')).to.equal(1);
    expect(tokenizer.tokenToId('<a_1>')).to.equal(undefined);
    expect(tokenizer.addTokens(['<a_1>']).vocabSize).to.equal(331);
  });

  it('gives each added token one id that splits the text, in order, and leaves the tokenizer as it was', () => {
    const before = TextTokenizer.fromJSON(gpt2, { eos_token: '<|end|>' });
    const plain = [...before.encode('x<a_1>y')];
    const after = before.addTokens(['<a_1>', '<b_2>', '<a_1>', '<|end|>']);
    expect([
      after.tokenToId('<a_1>'),
      after.tokenToId('<b_2>'),
      after.tokenToId('<|end|>'),
      after.vocabSize,
    ]).to.deep.equal([330, 331, 1, 332]);
    expect([...after.encode('x<a_1><b_2>y')]).to.deep.equal([...before.encode('x'), 330, 331, ...before.encode('y')]);
    expect(after.decode([330, 331])).to.equal('<a_1><b_2>');
    expect(after.eosTokenId).to.equal(1);
    expect([...before.encode('x<a_1>y')]).to.deep.equal(plain);
    expect([...after.addTokens(['<c_3>']).encode('<c_3><a_1>')]).to.deep.equal([332, 330]);
  });

  it('leaves special tokens out of a text where asked to, and keeps other added tokens', () => {
    const tokenizer = TextTokenizer.fromJSON(gpt2).addTokens(['<eot>'], { special: true }).addTokens(['<a_1>']);
    const ids = tokenizer.encode('a<a_1>b<eot>');
    expect(tokenizer.decode(ids)).to.equal('a<a_1>b<eot>');
    expect(tokenizer.decode(ids, { skipSpecialTokens: true })).to.equal('a<a_1>b');
  });

  it('writes added tokens into both files', () => {
    const { tokenizer, config } = TextTokenizer.fromJSON(gpt2, { model_max_length: 64 }).addTokens(['<a_1>']).toJSON();
    const entry = {
      content: '<a_1>',
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: false,
    };
    expect((tokenizer.added_tokens as object[]).at(-1)).to.deep.equal({ id: 330, ...entry });
    expect(config.model_max_length).to.equal(64);
    expect((config.added_tokens_decoder as Record<string, object>)['330']).to.deep.equal(entry);
  });

  it('gives back what it was made of', () => {
    const config = { eos_token: '<|end|>', clean_up_tokenization_spaces: false };
    const { tokenizer, config: again } = TextTokenizer.fromJSON(gpt2, config).toJSON();
    expect(tokenizer).to.deep.equal(gpt2);
    expect(again).to.deep.equal(config);
    (tokenizer.added_tokens as unknown[]).length = 0; // a copy
    expect(golden.tokenizers.gpt2.tokenizer.added_tokens).to.have.length(2);
  });

  it('passes over ids that it does not know, and gives nothing for nothing', () => {
    const tokenizer = TextTokenizer.fromJSON(gpt2);
    expect(tokenizer.decode([...tokenizer.encode('guitar'), 5000, -1])).to.equal('guitar');
    expect([tokenizer.decode([]), tokenizer.decode([5000])]).to.deep.equal(['', '']);
    expect(tokenizer.encode('')).to.deep.equal(new Int32Array(0));
  });

  it('takes spaces before punctuation away only where the config says so and the tokenizer is no BPE, as transformers does', () => {
    const decode = (json: TokenizerJson, config: TokenizerJson, text: string): string => {
      const tokenizer = TextTokenizer.fromJSON(json, config);
      return tokenizer.decode(tokenizer.encode(text));
    };
    expect(decode(words, {}, 'guitar strings .')).to.equal('guitar strings .');
    expect(decode(words, { clean_up_tokenization_spaces: true }, 'guitar strings .')).to.equal('guitar strings.');
    expect(decode(gpt2, { clean_up_tokenization_spaces: true }, 'guitar strings .')).to.equal('guitar strings .');
  });

  it('gives the unknown token where there is one, and refuses a text it cannot write where there is none', () => {
    expect([...TextTokenizer.fromJSON(words).encode('guitar violin')]).to.deep.equal([1, 0]);
    const model = { ...(words.model as object), unk_token: undefined, vocab: { guitar: 0 } };
    expect(() => TextTokenizer.fromJSON({ ...words, model }).encode('violin')).to.throw(
      IlrecError,
      /^TextTokenizer\.encode: the vocabulary must have a token for every piece of the text or an unknown token, got ".*"; use a tokenizer that covers the text$/,
    );
  });

  it('reads files that leave parts out', () => {
    const { type: _type, ...model } = gpt2.model as { type: string };
    const old = TextTokenizer.fromJSON({ model, pre_tokenizer: gpt2.pre_tokenizer, decoder: gpt2.decoder });
    expect(old.decode(old.encode('Café racer'))).to.equal('Café racer');
  });

  it('refuses what is no tokenizer', () => {
    const message = (json: TokenizerJson): string => {
      try {
        TextTokenizer.fromJSON(json);
      } catch (error) {
        expect(error).to.be.instanceOf(IlrecError);
        return (error as Error).message;
      }
      throw new Error('nothing was refused');
    };
    expect(message({})).to.equal(
      'TextTokenizer.fromJSON: tokenizer.json must have a model with a vocab, got none; use the tokenizer.json of the checkpoint',
    );
    expect(message({ ...words, model: { vocab: null } })).to.match(
      /^TextTokenizer\.fromJSON: tokenizer\.json must have a/,
    );
    expect(message({ ...words, added_tokens: 'none' })).to.equal(
      'TextTokenizer.fromJSON: added_tokens must be a list of objects, got another value; use another copy of tokenizer.json',
    );
    expect(message({ ...gpt2, normalizer: { type: 'Magic' } })).to.equal(
      'TextTokenizer.fromJSON: tokenizer.json must be one that @huggingface/tokenizers reads, got "Unknown Normalizer type: Magic"; use the tokenizer.json of the checkpoint',
    );
    expect(message({ ...words, model: { ...(words.model as object), vocab: { a: 0, b: 0 } } })).to.equal(
      'TextTokenizer.fromJSON: each id must belong to one token, got 0 for "a" and "b"; use another copy of tokenizer.json',
    );
    expect(message({ ...words, model: { ...(words.model as object), vocab: { a: -1 } } })).to.equal(
      'TextTokenizer.fromJSON: token ids must be 0 or above, got -1 for "a"; use another copy of tokenizer.json',
    );
  });

  it('refuses to add tokens that other programs would number differently', () => {
    const tokenizer = TextTokenizer.fromJSON({
      ...words,
      model: { ...(words.model as object), vocab: { '<unk>': 0, guitar: 7 } },
    });
    expect(() => tokenizer.addTokens(['<a_1>'])).to.throw(
      IlrecError,
      "TextTokenizer.addTokens: the vocabulary must have no gaps, got 8 as the first free id where Hugging Face's tokenizers would give 2; give the gaps tokens first",
    );
    expect(tokenizer.addTokens(['guitar']).vocabSize).to.equal(8);
    expect(() => tokenizer.addTokens([''])).to.throw(
      IlrecError,
      'TextTokenizer.addTokens: tokens must not be empty, got ""; leave it out',
    );
  });
});
