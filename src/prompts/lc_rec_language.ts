import { IlrecError } from '../errors';
import type { TextTokenizer } from '../tokenizers/text_tokenizer';
import { encodeTitles } from '../tokenizers/item_titles';
import { LC_REC_TEMPLATES } from './default_templates';
import { checkTokenizer, createLanguage, endToken, type ItemLanguage, type LanguageOptions } from './item_language';
import { type PromptTemplates, type PromptTemplatesInput, parsePromptTemplates } from './templates';

/** A token of a semantic id. */
export interface SemanticIdToken {
  readonly token: string;
  readonly id: number;
  /** Lowest level at which it occurs, from 0. */
  readonly level: number;
  /** Whether it is new to the tokenizer, so that the embedding needs a row for it. */
  readonly isNew: boolean;
}

/** A language of semantic ids in text. */
export interface LcRecLanguage extends ItemLanguage {
  /** The tokens of all semantic ids, ordered by level, then by first occurrence in the catalogue. */
  readonly semanticIdTokens: readonly SemanticIdToken[];
  /** Tokens of each item's title, null for an item without one, [N]. */
  readonly titleTokens: readonly (Int32Array | null)[];
  /** Token ids of each item's semantic id, without end token, [N]. */
  readonly semanticIds: readonly Int32Array[];
}

/** Options of `lcRecLanguage`. */
export interface LcRecLanguageOptions extends LanguageOptions {
  /** Tokens of each item, coarse to fine, such as ['<a_3>', '<b_7>'], [N]. Items may share an id. */
  semanticIds: readonly (readonly string[])[];
  /**
   * Title of each item, [N]. An item without one has no examples about titles, and appears as its id in histories of
   * titles. Default none.
   */
  titles?: readonly (string | null | undefined)[];
  /** Templates of `parsePromptTemplates`, or the content of a templates file. Default `LC_REC_TEMPLATES`. */
  templates?: PromptTemplates | PromptTemplatesInput;
}

/**
 * Makes a language that names items by semantic ids inside text (LC-Rec, Zheng et al., arXiv 2311.09049). The tokens of
 * the ids are added to the tokenizer; `addItemTokens` adds their rows to the model.
 *
 * If one id is a prefix of another, every item's tokens end with the end token, so that the model can choose the
 * shorter id. Training responses always end with it.
 *
 * @param options tokenizer, semantic ids, titles and templates.
 * @returns the language: tokenizer, item tokens, prompts and training examples.
 * @throws IlrecError when there is no tokenizer or end token, an item has no semantic id, the number of titles differs,
 * the templates are not valid, or an option is out of range.
 * @example
 * ```ts
 * import { lcRecLanguage, TextTokenizer, trainByteLevelBpe } from 'tfjs-ilrec';
 *
 * const json = trainByteLevelBpe(['red lipstick'], { vocabSize: 257, specialTokens: ['<eos>'] });
 * const tokenizer = TextTokenizer.fromJSON(json, { eos_token: '<eos>' });
 * const semanticIds = [['<a_0>', '<b_0>'], ['<a_0>', '<b_1>']];
 * const language = lcRecLanguage({ tokenizer, semanticIds });
 * console.log(language.itemTokens); // [ Int32Array(2) [ 257, 258 ], Int32Array(2) [ 257, 259 ] ]
 * console.log(language.tokenizer.decode(language.prompt([1])).includes('<a_0><b_1>')); // true
 * ```
 */
export function lcRecLanguage(options: LcRecLanguageOptions): LcRecLanguage {
  const caller = 'lcRecLanguage';
  checkTokenizer(caller, options);
  const { semanticIds = [], titles = semanticIds.map(() => null) } = options;
  const { maxTitleTokens, templates = LC_REC_TEMPLATES } = options;
  const levelOf = levelsOf(semanticIds);
  if (titles.length !== semanticIds.length) {
    throw new IlrecError(
      `${caller}: titles must have one entry per semantic id, got ${titles.length} for ${semanticIds.length}; ` +
        'use null for an item without a title',
    );
  }
  const tokenizer = options.tokenizer.addTokens([...levelOf.keys()]);
  const eosTokenId = endToken(caller, { ...options, tokenizer });
  const idOf = (token: string): number => tokenizer.tokenToId(token) as number;
  const ids = semanticIds.map((tokens) => Int32Array.from(tokens, idOf));
  const titleTokens = encodeTitles(tokenizer, titles, { maxTitleTokens, reservedTokens: [...levelOf.keys()] });
  const language = createLanguage({
    ...options,
    caller,
    tokenizer,
    eosTokenId,
    templates: parsePromptTemplates(templates, 'templates', caller),
    names: { id: ids, title: titleTokens },
    itemTokens: hasPrefix(semanticIds) ? ids.map((tokens) => Int32Array.of(...tokens, eosTokenId)) : ids,
  });
  return {
    ...language,
    titleTokens,
    semanticIds: ids,
    semanticIdTokens: [...levelOf].map(([token, level]) => ({
      token,
      level,
      id: idOf(token),
      isNew: !isKnown(options.tokenizer, token),
    })),
  };
}

function isKnown(tokenizer: TextTokenizer, token: string): boolean {
  return (tokenizer.tokenToId(token) ?? null) !== null;
}

/** The lowest level of each token, ordered by level, then by first occurrence. */
function levelsOf(semanticIds: readonly (readonly string[])[]): Map<string, number> {
  if (semanticIds.length === 0)
    throw new IlrecError('lcRecLanguage: there must be at least one item, got none; give one semantic id per item');
  semanticIds.forEach((tokens, item) => {
    if (tokens.length === 0 || tokens.includes(''))
      throw new IlrecError(
        'lcRecLanguage: a semantic id must have at least one token and no empty one, got ' +
          `${JSON.stringify(tokens)} for item ${item}`,
      );
  });
  const levels = new Map<string, number>();
  const deepest = semanticIds.reduce((depth, { length }) => Math.max(depth, length), 0);
  for (let level = 0; level < deepest; level++) {
    for (const tokens of semanticIds)
      if (level < tokens.length && !levels.has(tokens[level])) levels.set(tokens[level], level);
  }
  return levels;
}

/** Whether an id is a prefix of another. */
function hasPrefix(semanticIds: readonly (readonly string[])[]): boolean {
  const whole = new Set(semanticIds.map((tokens) => JSON.stringify(tokens)));
  return semanticIds.some((tokens) =>
    tokens.some((_, length) => length > 0 && whole.has(JSON.stringify(tokens.slice(0, length)))),
  );
}
