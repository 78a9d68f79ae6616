import { IlrecError } from '../errors';

/** A part of a tokenizer.json: a normalizer, a pre-tokenizer, a post-processor or a decoder. */
export type TokenizerPart = Readonly<Record<string, unknown>> & { readonly type?: string };

/** The splitting expression of GPT-2. */
const GPT2_SPLIT = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
const WORD = '\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}';
const PUNCTUATION = '[\\p{P}\\x21-\\x2F\\x3A-\\x40\\x5B-\\x60\\x7B-\\x7E]';
/** Puts a space before a text that does not start with one. */
const SPACE_BEFORE: TokenizerPart = { type: 'Metaspace', replacement: ' ', str_rep: ' ', prepend_scheme: 'always' };
/** Kinds of tokenizer_class for which transformers reads `add_prefix_space` of tokenizer_config.json. */
const FOLLOWS_CONFIG = /^(GPT2|Qwen2)Tokenizer(Fast)?$/;
/** Kinds for which it does not. */
const IGNORES_CONFIG = /^(PreTrainedTokenizerFast|TokenizersBackend)$/;

/** The parts of a sequence, or the part itself; none for null. */
export function partsOf(part: TokenizerPart | null | undefined, list: string): TokenizerPart[] {
  if (part == null) return [];
  return part.type === 'Sequence'
    ? ((part[list] ?? []) as TokenizerPart[]).flatMap((inner) => partsOf(inner, list))
    : [part];
}

/**
 * Rewrites a pre-tokenizer such that @huggingface/tokenizers 0.2.0 splits as Hugging Face's tokenizers do. Its own
 * expressions use `\s` and `\d` of JavaScript, where U+FEFF is a space, U+0085 is none and only ASCII has digits; and
 * it does not know all behaviours of `Split`, `Punctuation` and `Metaspace`.
 *
 * @throws IlrecError when the pre-tokenizer cannot be expressed.
 */
export function portablePreTokenizer(part: TokenizerPart | null): TokenizerPart | null {
  const steps = partsOf(part, 'pretokenizers').flatMap(portableStep);
  return steps.length === 0 ? null : { type: 'Sequence', pretokenizers: steps };
}

function portableStep(part: TokenizerPart): TokenizerPart[] {
  switch (part.type) {
    case 'ByteLevel':
      return [
        ...(part.add_prefix_space === true ? [SPACE_BEFORE] : []),
        ...(part.use_regex === false ? [] : [isolated(regex(GPT2_SPLIT))]),
        { ...part, add_prefix_space: false, use_regex: false },
      ];
    case 'Digits':
      return [isolated(regex(part.individual_digits === true ? '\\p{N}' : '\\p{N}+'))];
    case 'Whitespace':
      return [removed(regex(`[${WORD}]+|[^${WORD}\\s]+`), true)];
    case 'WhitespaceSplit':
      return [removed(regex('\\s+'))];
    case 'Punctuation':
      return portableSplit({ ...part, pattern: regex(PUNCTUATION), behavior: part.behavior ?? 'Isolated' });
    case 'BertPreTokenizer':
      return [removed(regex('\\s+')), isolated(regex(PUNCTUATION))];
    case 'FixedLength':
      return [isolated(regex(`[\\s\\S]{1,${Number(part.length)}}`))]; // in characters, not in UTF-16 units
    case 'Split':
      return portableSplit(part);
    case 'Metaspace': {
      const { replacement = '▁', add_prefix_space: isPrefixed = true, split = true } = part;
      const scheme = part.prepend_scheme ?? (isPrefixed === true ? 'always' : 'never');
      const mark = characters(String(replacement));
      return [
        { ...part, prepend_scheme: scheme, str_rep: replacement },
        ...(split === true ? [isolated(regex(`${mark}[^${mark}]*`))] : []),
      ];
    }
    default:
      return [part];
  }
}

/** Any `Split` as one with a behaviour that the library knows. */
function portableSplit(part: TokenizerPart): TokenizerPart[] {
  const { String: text = '', Regex: given } = part.pattern as { String?: string; Regex?: string };
  const source = given === undefined ? characters(text) : withoutGroups(given);
  const behavior = String(part.behavior).toLowerCase();
  const other = `(?:(?!${source})[\\s\\S])*`;
  switch (part.invert === true ? `${behavior}, inverted` : behavior) {
    case 'isolated':
    case 'isolated, inverted': // the same pieces
      return [isolated(regex(source))];
    case 'removed':
      return [removed(regex(source))];
    case 'removed, inverted':
      return [removed(regex(source), true)];
    case 'contiguous':
      return [isolated(regex(`(?:${source})+`))];
    case 'mergedwithnext':
      return [isolated(regex(`(?:${source})${other}`))];
    case 'mergedwithprevious':
      return [isolated(regex(`${other}(?:${source})`))];
    default:
      throw new IlrecError(
        `TextTokenizer.fromJSON: ${part.type} in pre_tokenizer of tokenizer.json must have a known behavior, and invert ` +
          `only with "Isolated" or "Removed", got "${String(part.behavior)}"` +
          `${part.invert === true ? ' with invert' : ''}; use another tokenizer`,
      );
  }
}

/** An expression for a literal text. */
function characters(text: string): string {
  return Array.from(text, (character) => `\\x{${(character.codePointAt(0) as number).toString(16)}}`).join('');
}

/** The expression with groups that capture nothing: JavaScript's `split` would return what they capture. */
function withoutGroups(source: string): string {
  return source.replace(/\\[\s\S]|\[(?:\\[\s\S]|[^\]\\])*\]|\((?:\?<[^=!>][^>]*>)?(?!\?)/g, (found) =>
    found.startsWith('(') ? '(?:' : found,
  );
}

const regex = (Regex: string): { Regex: string } => ({ Regex });
const isolated = (pattern: unknown): TokenizerPart => ({ type: 'Split', pattern, behavior: 'Isolated', invert: false });
const removed = (pattern: unknown, invert = false): TokenizerPart => ({
  type: 'Split',
  pattern,
  behavior: 'Removed',
  invert,
});

/**
 * Rewrites a normalizer such that @huggingface/tokenizers 0.2.0 strips the spaces that Hugging Face's tokenizers strip.
 *
 * @throws IlrecError when the normalizer cannot be expressed.
 */
export function portableNormalizer(part: TokenizerPart | null): TokenizerPart | null {
  const steps = partsOf(part, 'normalizers').flatMap((step): TokenizerPart[] => {
    if (step.type === 'Precompiled')
      throw new IlrecError(
        'TextTokenizer.fromJSON: normalizer of tokenizer.json must not be Precompiled, of which ' +
          '@huggingface/tokenizers has only an approximation; use a checkpoint with another tokenizer',
      );
    if (step.type === 'BertNormalizer' && step.lowercase === true)
      return [{ ...step, lowercase: false, strip_accents: step.strip_accents ?? true }, { type: 'Lowercase' }];
    if (step.type !== 'Strip') return [step];
    const strip = (pattern: string): TokenizerPart => ({ type: 'Replace', pattern: regex(pattern), content: '' });
    return [
      ...(step.strip_left === true ? [strip('\\A\\s+')] : []),
      ...(step.strip_right === true ? [strip('\\s+\\z')] : []),
    ];
  });
  return steps.length === 0 ? null : { type: 'Sequence', normalizers: steps };
}

/**
 * Applies `add_prefix_space` of tokenizer_config.json, as transformers does for the kinds of tokenizers that heed it.
 *
 * @throws IlrecError when it contradicts tokenizer.json and versions of transformers disagree on what counts.
 */
export function withPrefixSpace(
  json: Readonly<Record<string, unknown>>,
  config: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const { add_prefix_space: wanted, tokenizer_class: kind = null } = config;
  if (typeof wanted !== 'boolean' || IGNORES_CONFIG.test(String(kind))) return json;
  const preTokenizer = json.pre_tokenizer as TokenizerPart | null;
  const steps = partsOf(preTokenizer, 'pretokenizers');
  const byteLevel = steps.filter(({ type }) => type === 'ByteLevel');
  const marks = steps.filter(({ type }) => type === 'Metaspace');
  const prepends = partsOf(json.normalizer as TokenizerPart | null, 'normalizers').some(
    ({ type }) => type === 'Prepend',
  );
  const isMarked = ({ prepend_scheme: scheme, add_prefix_space: old }: TokenizerPart): boolean =>
    scheme === undefined ? old !== false : scheme !== 'never';
  const found =
    byteLevel.length > 0
      ? byteLevel.some(({ add_prefix_space: prefixed }) => prefixed === true)
      : prepends || marks.some(isMarked);
  if (found === wanted || (byteLevel.length === 0 && marks.length === 0 && !prepends)) return json;
  if (byteLevel.length === 0 || !FOLLOWS_CONFIG.test(String(kind)))
    throw new IlrecError(
      `TextTokenizer.fromJSON: tokenizer.json and tokenizer_config.json must agree on the space before a text, got ` +
        `${found} in the former and add_prefix_space ${wanted} in the latter; make them equal, as versions of ` +
        'transformers disagree on which counts',
    );
  const change = (part: TokenizerPart): TokenizerPart =>
    part.type === 'Sequence'
      ? { ...part, pretokenizers: (part.pretokenizers as TokenizerPart[]).map(change) }
      : part.type === 'ByteLevel'
        ? { ...part, add_prefix_space: wanted }
        : part;
  return { ...json, pre_tokenizer: change(preTokenizer as TokenizerPart) };
}

/** Ids that the post-processor puts around a text. */
export interface SpecialIds {
  readonly before: readonly number[];
  readonly after: readonly number[];
}

/**
 * The ids that a post-processor adds to a text.
 *
 * @throws IlrecError when the template is damaged.
 */
export function specialIdsOf(part: TokenizerPart | null): SpecialIds {
  const before: number[] = [];
  const after: number[] = [];
  for (const step of partsOf(part, 'processors')) {
    if (step.type === 'BertProcessing' || step.type === 'RobertaProcessing') {
      before.unshift((step.cls as [string, number])[1]);
      after.push((step.sep as [string, number])[1]);
    } else if (step.type === 'TemplateProcessing') {
      const items = step.single as { Sequence?: object; SpecialToken?: { id: string } }[];
      const ids = step.special_tokens as Readonly<Record<string, { ids: number[] }>>;
      const at = items.findIndex(({ Sequence }) => Sequence !== undefined);
      const idsOf = (some: typeof items): number[] =>
        some.flatMap(({ SpecialToken: token }) => (token === undefined ? [] : ids[token.id].ids));
      before.unshift(...idsOf(items.slice(0, at)));
      after.push(...idsOf(items.slice(at + 1)));
    }
  }
  return { before, after };
}
