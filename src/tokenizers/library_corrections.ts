import {
  ByteFallbackDecoder,
  ByteLevelDecoder,
  type Decoder,
  LowercaseNormalizer,
  MetaspaceDecoder,
  type Normalizer,
  SequenceDecoder,
  SequenceNormalizer,
} from '@huggingface/tokenizers';
import { byteCharacters } from './byte_characters';

const UTF8 = new TextDecoder('utf-8', { ignoreBOM: true });
const STRICT_UTF8 = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true });
const BYTE_TOKEN = /^<0x([0-9A-Fa-f]{2})>$/;

/**
 * Replaces the steps of a decoder that @huggingface/tokenizers 0.2.0 computes otherwise than Hugging Face's tokenizers:
 * bytes at U+FEFF, broken characters, and spaces at the start of a text.
 *
 * @param decoder changed in place.
 */
export function correctDecoder(decoder: Decoder | null): void {
  if (decoder instanceof SequenceDecoder) decoder.decoders.forEach(correctDecoder);
  else if (decoder instanceof ByteLevelDecoder) decoder.decode_chain = decodeByteLevel;
  else if (decoder instanceof ByteFallbackDecoder) decoder.decode_chain = decodeByteFallback;
  else if (decoder instanceof MetaspaceDecoder) {
    const { prepend_scheme: scheme, add_prefix_space: old } = decoder.config as {
      prepend_scheme?: string;
      add_prefix_space?: boolean;
    };
    const keeps = scheme === 'never' || (scheme === undefined && old === false);
    decoder.decode_chain = (tokens) =>
      tokens.map((token, i) => token.replaceAll(decoder.replacement, i === 0 && !keeps ? '' : ' '));
  }
}

/**
 * Lets a normalizer write each letter in lower case by itself: a sigma at the end of a word is one of JavaScript's
 * exceptions that Hugging Face's tokenizers do not make.
 *
 * @param normalizer changed in place.
 */
export function correctNormalizer(normalizer: Normalizer | null): void {
  if (normalizer instanceof SequenceNormalizer) normalizer.normalizers.forEach(correctNormalizer);
  else if (normalizer instanceof LowercaseNormalizer)
    normalizer.normalize = (text) => Array.from(text, (character) => character.toLowerCase()).join('');
}

let byteOf: ReadonlyMap<string, number> | null = null;

/** The bytes of all tokens as one text. A token with a character that stands for no byte is text already. */
function decodeByteLevel(tokens: readonly string[]): string[] {
  const known = (byteOf ??= new Map(byteCharacters().map((character, byte) => [character, byte])));
  const bytes = tokens.flatMap((token) => {
    const own = Array.from(token, (character) => known.get(character));
    return own.includes(undefined) ? [...new TextEncoder().encode(token)] : (own as number[]);
  });
  return [UTF8.decode(Uint8Array.from(bytes))];
}

/** Byte tokens as characters; bytes that are not whole characters become U+FFFD, one for each byte. */
function decodeByteFallback(tokens: readonly string[]): string[] {
  const texts: string[] = [];
  let bytes: number[] = [];
  const flush = (): void => {
    if (bytes.length === 0) return;
    try {
      texts.push(STRICT_UTF8.decode(Uint8Array.from(bytes)));
    } catch {
      texts.push(...bytes.map(() => '\ufffd'));
    }
    bytes = [];
  };
  for (const token of tokens) {
    const byte = BYTE_TOKEN.exec(token)?.[1];
    if (byte !== undefined) bytes.push(parseInt(byte, 16));
    else {
      flush();
      texts.push(token);
    }
  }
  flush();
  return texts;
}
