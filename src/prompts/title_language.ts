import { IlrecError } from '../errors';
import { encodeTitles, normalizeTitle } from '../tokenizers/item_titles';
import { TITLE_TEMPLATES } from './default_templates';
import { checkTokenizer, createLanguage, endToken, type ItemLanguage, type LanguageOptions } from './item_language';
import { type PromptTemplates, type PromptTemplatesInput, parsePromptTemplates } from './templates';

/** A language of titles. */
export interface TitleLanguage extends ItemLanguage {
  /** Normalized title of each item, [N]. */
  readonly titles: readonly string[];
  /** Number of items whose title has the same tokens as that of an earlier item. */
  readonly sharedTitles: number;
}

/** Options of `titleLanguage`. */
export interface TitleLanguageOptions extends LanguageOptions {
  /** Title of each item, in any script, [N]. Items may share a title. */
  titles: readonly (string | null | undefined)[];
  /**
   * Items without a title: 'refuse' throws and lists them, 'id' uses "item" and their id as title. Default 'refuse'.
   */
  untitled?: 'refuse' | 'id';
  /** Ids for `untitled: 'id'`, [N]. Default the item numbers. */
  itemIds?: readonly string[];
  /**
   * Templates of `parsePromptTemplates`, or the content of a templates file, without {id} and {history:id}. Default
   * `TITLE_TEMPLATES`.
   */
  templates?: PromptTemplates | PromptTemplatesInput;
}

/** Most items listed in an error message. */
const MOST_NAMED = 5;

/**
 * Makes a language that names items by their titles (BIGRec, Bao et al., arXiv 2308.08434). Unlike the paper, decoding
 * is restricted to the catalogue, and the loss to the response.
 *
 * The model writes the title and then the end token, so that no item's tokens are a prefix of another's.
 * `normalizeTitle` normalizes titles. Items with equal tokens share a leaf of the trie and are ranked by its tie rule.
 *
 * @param options tokenizer, titles and templates.
 * @returns the language: item tokens, prompts and training examples.
 * @throws IlrecError when there is no tokenizer or end token, there is no item, items have no title (the message lists
 * them), the number of item ids differs, the templates are not valid, or an option is out of range.
 * @example
 * ```ts
 * import { TextTokenizer, titleLanguage, trainByteLevelBpe } from 'tfjs-ilrec';
 *
 * const json = trainByteLevelBpe(['red lipstick'], { vocabSize: 257, specialTokens: ['<eos>'] });
 * const tokenizer = TextTokenizer.fromJSON(json, { eos_token: '<eos>' });
 * const language = titleLanguage({ tokenizer, titles: ['red lipstick', 'nail polish'] });
 * console.log(tokenizer.decode(language.itemTokens[1])); // nail polish<eos>
 * const { prompt, response } = language.examples([[0, 1]]).at(0);
 * console.log(tokenizer.decode(prompt).includes('red lipstick'), tokenizer.decode(response)); // true nail polish<eos>
 * ```
 */
export function titleLanguage(options: TitleLanguageOptions): TitleLanguage {
  const caller = 'titleLanguage';
  checkTokenizer(caller, options);
  const { tokenizer, titles = [], untitled = 'refuse', itemIds, maxTitleTokens, templates = TITLE_TEMPLATES } = options;
  if (titles.length === 0)
    throw new IlrecError(`${caller}: there must be at least one item, got none; give one title per item`);
  if (itemIds !== undefined && itemIds.length !== titles.length) {
    throw new IlrecError(
      `${caller}: itemIds must have one entry per title, got ${itemIds.length} for ${titles.length}; give both ` +
        'in the order of the catalogue',
    );
  }
  const eosTokenId = endToken(caller, options);
  const written = titles.map(normalizeTitle);
  const missing = [...written.keys()].filter((item) => written[item] === '');
  if (missing.length > 0 && untitled === 'refuse') {
    const named =
      missing
        .slice(0, MOST_NAMED)
        .map((item) => itemIds?.[item] ?? item)
        .join(', ') + (missing.length > MOST_NAMED ? ', ...' : '');
    throw new IlrecError(
      `${caller}: each item must have a title, got ${missing.length} without: ${named}; give them titles or set ` +
        "untitled to 'id'",
    );
  }
  for (const item of missing) written[item] = normalizeTitle(`item ${itemIds?.[item] ?? item}`);

  const names = encodeTitles(tokenizer, written, { maxTitleTokens }) as Int32Array[];
  const itemTokens = names.map((tokens) => Int32Array.of(...tokens, eosTokenId));
  const language = createLanguage({
    ...options,
    caller,
    eosTokenId,
    templates: parsePromptTemplates(templates, 'templates', caller),
    names: { id: null, title: names },
    itemTokens,
  });
  return {
    ...language,
    titles: written,
    sharedTitles: titles.length - new Set(itemTokens.map((tokens) => tokens.join(' '))).size,
  };
}
