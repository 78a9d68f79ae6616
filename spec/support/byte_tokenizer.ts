import { TextTokenizer } from '../../src/tokenizers/text_tokenizer';

/** The printable character that stands for each byte in byte-level tokenizers of the GPT-2 kind, [256]. */
function byteCharacters(): string[] {
  const printable = (byte: number): boolean =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(printable(byte) ? byte : next++));
}

/**
 * A tokenizer whose tokens are bytes, then the merges given (each of two tokens there are), then `<pad>`, `<s>`, `</s>`
 * and, on top of what a checkpoint has, `extra` special ones. `addsStart`: whether it puts `<s>` before texts.
 */
export function byteTokenizer({
  merges = [],
  addsStart = true,
  extra = [],
  named = true,
}: { merges?: [string, string][]; addsStart?: boolean; extra?: string[]; named?: boolean } = {}): TextTokenizer {
  const pieces = [...byteCharacters(), ...merges.map(([a, b]) => a + b)];
  const special = ['<pad>', '<s>', '</s>', ...extra];
  const added = special.map((content, i) => ({
    id: pieces.length + i,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  }));
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
  const start = {
    type: 'TemplateProcessing',
    single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
    pair: [],
    special_tokens: { '<s>': { id: '<s>', ids: [added[1].id], tokens: ['<s>'] } },
  };
  return TextTokenizer.fromJSON(
    {
      version: '1.0',
      added_tokens: added,
      normalizer: null,
      pre_tokenizer: byteLevel,
      post_processor: addsStart ? start : byteLevel,
      decoder: byteLevel,
      model: {
        type: 'BPE',
        dropout: null,
        unk_token: null,
        continuing_subword_prefix: null,
        end_of_word_suffix: null,
        fuse_unk: false,
        byte_fallback: false,
        vocab: Object.fromEntries(pieces.map((piece, id) => [piece, id])),
        merges,
      },
    },
    named ? { bos_token: '<s>', eos_token: '</s>', pad_token: '<pad>' } : {},
  );
}

/** Ids of `<pad>`, `<s>` and `</s>` where there are no merges. */
export const [PAD, BOS, EOS] = [256, 257, 258];
