import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { IlrecError } from '../../src/errors';
import { TextTokenizer, type TokenizerJson } from '../../src/tokenizers/text_tokenizer';

/** Made by Hugging Face's tokenizers and transformers; see the file's `source`. */
interface Golden {
  texts: string[];
  bases: Record<string, TokenizerJson>;
  cases: {
    name: string;
    base: string;
    /** Parts of tokenizer.json that differ from the base. */
    changes: TokenizerJson;
    config: TokenizerJson | null;
    namedIds: Record<'bosTokenId' | 'eosTokenId' | 'padTokenId', number | null> | null;
    /** Of each text; where the second or the fourth is null, it is like the one before. */
    rows: [ids: number[], withSpecialTokens: number[] | null, decoded: string, withoutSpecialTokens: string | null][];
    /** What drawn ids decode to, with and without special tokens. */
    decoded: [ids: number[], decoded: string, withoutSpecialTokens: string][];
  }[];
}
const golden = JSON.parse(readFileSync(new URL('../golden/odd_tokenizers.json', import.meta.url), 'utf8')) as Golden;
const { bytes, pieces, words } = golden.bases;
const plain = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: false };

describe('TextTokenizer, of odd files', () => {
  for (const { name, base, changes, config, namedIds, rows, decoded } of golden.cases) {
    it(`gives the ids and texts of Hugging Face's tokenizers: ${name}, ${base}`, () => {
      const tokenizer = TextTokenizer.fromJSON({ ...golden.bases[base], ...changes }, config ?? {});
      const { tokenizer: json, config: again } = tokenizer.toJSON();
      for (const made of [tokenizer, TextTokenizer.fromJSON(json, again)]) {
        golden.texts.forEach((text, i) => {
          const [ids, withSpecialTokens, written, without] = rows[i];
          const label = JSON.stringify(text);
          expect([...made.encode(text)], label).to.deep.equal(ids);
          expect([...made.encode(text, { addSpecialTokens: true })], label).to.deep.equal(withSpecialTokens ?? ids);
          expect(made.decode(ids), label).to.equal(written);
          expect(made.decode(ids, { skipSpecialTokens: true }), label).to.equal(without ?? written);
        });
        for (const [ids, written, without] of decoded) {
          expect(made.decode(ids), ids.join()).to.equal(written);
          expect(made.decode(ids, { skipSpecialTokens: true }), ids.join()).to.equal(without);
        }
        for (const [key, id] of Object.entries(namedIds ?? {})) expect(made[key as 'bosTokenId'], key).to.equal(id);
      }
    });
  }

  it('keeps U+FEFF and U+0085 through encode and decode', () => {
    for (const json of [bytes, pieces]) {
      const tokenizer = TextTokenizer.fromJSON(json);
      for (const text of ['\ufeffguitar', 'a\ufeff\ufeff b', '\ufeff', 'a\u0085\ufeff\u0085'])
        expect(tokenizer.decode(tokenizer.encode(text))).to.equal(text);
    }
  });

  it('writes one U+FFFD for each byte of a broken character where bytes are tokens', () => {
    const tokenizer = TextTokenizer.fromJSON(pieces);
    const broken = ['<0xE9>', '<0x9B>'].map((token) => tokenizer.tokenToId(token) as number);
    expect(tokenizer.decode(broken)).to.equal('\ufffd\ufffd');
  });

  it('encodes a text of very many tokens in one piece', () => {
    const whole = { ...bytes, pre_tokenizer: { type: 'ByteLevel', use_regex: false } };
    expect(TextTokenizer.fromJSON(whole).encode('!?'.repeat(100_000))).to.have.length(200_000);
  });

  it('refuses an added token whose id tokenizers would not give it', () => {
    const message = (tokenizer: TokenizerJson, config?: TokenizerJson): string => {
      try {
        TextTokenizer.fromJSON(tokenizer, config);
      } catch (error) {
        expect(error).to.be.instanceOf(IlrecError);
        return (error as Error).message;
      }
      throw new Error('nothing was refused');
    };
    const own = bytes.added_tokens as object[];
    expect(message({ ...bytes, added_tokens: [...own, { ...plain, id: 400, content: '<x>' }] })).to.equal(
      'TextTokenizer.fromJSON: "<x>" in added_tokens of tokenizer.json must have id 330, which Hugging Face\'s tokenizers ' +
        'give it whatever the file says, got 400; use the files of one checkpoint',
    );
    expect(message(bytes, { added_tokens_decoder: { 5: { ...plain, content: '<x>' } } })).to.contain(
      '"<x>" in added_tokens_decoder of tokenizer_config.json must have id 330',
    );
    expect(message(bytes, { added_tokens_decoder: { 331: { ...plain, content: '</s>' } } })).to.contain(
      'must have id 1, which',
    );
    const prefixed =
      'TextTokenizer.fromJSON: tokenizer.json and tokenizer_config.json must agree on the space before a text';
    expect(message(bytes, { add_prefix_space: true })).to.equal(
      `${prefixed}, got false in the former and add_prefix_space true in the latter; make them equal, as versions of ` +
        'transformers disagree on which counts',
    );
    expect(message(pieces, { add_prefix_space: false, tokenizer_class: 'LlamaTokenizer' })).to.contain(prefixed);
    const never = { type: 'Metaspace', replacement: '▁', prepend_scheme: 'never', split: false };
    expect(message({ ...pieces, normalizer: null, pre_tokenizer: never }, { add_prefix_space: true })).to.contain(
      prefixed,
    );
    TextTokenizer.fromJSON(pieces, { add_prefix_space: true, tokenizer_class: 'LlamaTokenizer' });
    TextTokenizer.fromJSON(words, { add_prefix_space: true }); // which has no such step
  });

  it('refuses the parts that the library does not compute like tokenizers', () => {
    const refusal = (changes: TokenizerJson): (() => TextTokenizer) => {
      return () => TextTokenizer.fromJSON({ ...words, ...changes });
    };
    expect(refusal({ normalizer: { type: 'Sequence', normalizers: [{ type: 'Precompiled' }] } })).to.throw(
      IlrecError,
      'TextTokenizer.fromJSON: normalizer of tokenizer.json must not be Precompiled, of which @huggingface/tokenizers has ' +
        'only an approximation; use a checkpoint with another tokenizer',
    );
    const split = { type: 'Split', pattern: { String: ' ' }, behavior: 'MergedWithNext', invert: true };
    expect(refusal({ pre_tokenizer: split })).to.throw(
      IlrecError,
      'TextTokenizer.fromJSON: Split in pre_tokenizer of tokenizer.json must have a known behavior, and invert only with ' +
        '"Isolated" or "Removed", got "MergedWithNext" with invert; use another tokenizer',
    );
    for (const type of ['constructor', '__proto__', 'toString'])
      for (const part of ['normalizer', 'pre_tokenizer', 'decoder', 'model'] as const) {
        const changed = part === 'model' ? { ...(words.model as object), type } : { type };
        expect(refusal({ [part]: changed }), `${part} ${type}`).to.throw(
          IlrecError,
          /"Unknown|model of tokenizer\.json/,
        );
      }
  });
});
