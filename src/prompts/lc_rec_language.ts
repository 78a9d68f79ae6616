import { IlrecError } from '../errors';
import type { TextTokenizer } from '../tokenizers/text_tokenizer';
import { encodeTitles } from '../tokenizers/item_titles';
import { LC_REC_TEMPLATES } from './default_templates';
import { createLanguage, endToken, type ItemLanguage, type LanguageOptions } from './item_language';
import { type PromptTemplates, type PromptTemplatesInput, parsePromptTemplates } from './templates';

/** A token of a semantic id. */
export interface SemanticIdToken {
  readonly token: string;
  readonly id: number;
  /** The first level that it is seen at, from 0. */
  readonly level: number;
  /** Whether the tokenizer did not have it, so that the embedding table needs a row for it. */
  readonly isNew: boolean;
}

export interface LcRecLanguage extends ItemLanguage {
  /** The tokens of all semantic ids, by level in the order of the items. */
  readonly semanticIdTokens: readonly SemanticIdToken[];
  /** Tokens of each item's title, null where it has none, [N]. */
  readonly titleTokens: readonly (Int32Array | null)[];
  /** The semantic id of each item as token ids, without an end, [N]. */
  readonly semanticIds: readonly Int32Array[];
}

export interface LcRecLanguageOptions extends LanguageOptions {
  /** Per item its tokens, coarse to fine, such as ['<a_3>', '<b_7>']; items may share one. */
  semanticIds: readonly (readonly string[])[];
  /** Per item its title; without one an item takes no part in tasks about titles, and its id stands in histories of titles. Default none at all. */
  titles?: readonly (string | null | undefined)[];
  /** Checked templates, or what a file of templates holds. Default `LC_REC_TEMPLATES`. */
  templates?: PromptTemplates | PromptTemplatesInput;
}

/**
 * Items named by the tokens of their semantic ids, which are added to a text tokenizer, in prompts of text and ids
 * (LC-Rec, Zheng et al., arXiv 2311.09049). `addItemTokens` gives the model the rows for them.
 *
 * An id ends where its tokens end; only where one id begins another do all end with the end token, so that the model can choose the shorter.
 * A training response always ends with it.
 * @throws IlrecError when an item has no id or titles differ from them in number, when there is no end token, or templates break their rules.
 */
export function lcRecLanguage(options: LcRecLanguageOptions): LcRecLanguage {
  const caller = 'lcRecLanguage';
  const { semanticIds, titles = semanticIds.map(() => null), maxTitleTokens, templates = LC_REC_TEMPLATES } = options;
  const levelOf = levelsOf(semanticIds);
  if (titles.length !== semanticIds.length) {
    throw new IlrecError(
      `${caller}: titles must be one per semantic id, got ${titles.length} for ${semanticIds.length}; write null for an item without a title`,
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
    templates: parsePromptTemplates(templates),
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

/** The first level of each token, by level in the order of the items. */
function levelsOf(semanticIds: readonly (readonly string[])[]): Map<string, number> {
  if (semanticIds.length === 0)
    throw new IlrecError('lcRecLanguage: there must be at least one item, got none; give one semantic id per item');
  semanticIds.forEach((tokens, item) => {
    if (tokens.length === 0 || tokens.includes(''))
      throw new IlrecError(
        `lcRecLanguage: an item must have at least one token, none of them empty, got ${JSON.stringify(tokens)} for item ${item}; give it a semantic id`,
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

/** Whether an id is the beginning of another one. */
function hasPrefix(semanticIds: readonly (readonly string[])[]): boolean {
  const whole = new Set(semanticIds.map((tokens) => JSON.stringify(tokens)));
  return semanticIds.some((tokens) =>
    tokens.some((_, length) => length > 0 && whole.has(JSON.stringify(tokens.slice(0, length)))),
  );
}
