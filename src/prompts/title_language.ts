import { IlrecError } from '../errors';
import { encodeTitles, normalizeTitle } from '../tokenizers/item_titles';
import { TITLE_TEMPLATES } from './default_templates';
import { createLanguage, endToken, type ItemLanguage, type LanguageOptions } from './item_language';
import { type PromptTemplates, type PromptTemplatesInput, parsePromptTemplates } from './templates';

export interface TitleLanguage extends ItemLanguage {
  /** Each item's title as it is written, [N]. */
  readonly titles: readonly string[];
  /** Items that the model cannot tell from an earlier one, because their titles have the same tokens. */
  readonly sharedTitles: number;
}

export interface TitleLanguageOptions extends LanguageOptions {
  /** Per item its title, in any script; items may share one. */
  titles: readonly (string | null | undefined)[];
  /** What becomes of items without a title: `refuse` (default) names them in an error, `id` writes "item" and their id. */
  untitled?: 'refuse' | 'id';
  /** Ids for `untitled: 'id'`, [N]; default the item numbers. */
  itemIds?: readonly string[];
  /** Checked templates, or what a file of templates holds; without {id} and {history:id}. Default `TITLE_TEMPLATES`. */
  templates?: PromptTemplates | PromptTemplatesInput;
}

/** Items named in an error. */
const MOST_NAMED = 5;

/**
 * Items named by their titles: the model writes the title and then the end token, so that no title is the beginning of another
 * (BIGRec, Bao et al., arXiv 2308.08434, with the decoding confined to the catalogue and the loss to the response).
 * Titles are put into one form by `normalizeTitle`; those with equal tokens share a leaf of the trie and are ranked by its tie rule.
 *
 * @throws IlrecError naming the items without a title, when there is no end token, or templates break their rules.
 */
export function titleLanguage(options: TitleLanguageOptions): TitleLanguage {
  const caller = 'titleLanguage';
  const { tokenizer, titles, untitled = 'refuse', itemIds, maxTitleTokens, templates = TITLE_TEMPLATES } = options;
  if (titles.length === 0)
    throw new IlrecError(`${caller}: there must be at least one item, got none; give one title per item`);
  if (itemIds !== undefined && itemIds.length !== titles.length) {
    throw new IlrecError(
      `${caller}: itemIds must be one per title, got ${itemIds.length} for ${titles.length}; give both in the order of the catalogue`,
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
      `${caller}: each item must have a title, got ${missing.length} without: ${named}; give them titles or set untitled to 'id'`,
    );
  }
  for (const item of missing) written[item] = normalizeTitle(`item ${itemIds?.[item] ?? item}`);

  const names = encodeTitles(tokenizer, written, { maxTitleTokens }) as Int32Array[];
  const itemTokens = names.map((tokens) => Int32Array.of(...tokens, eosTokenId));
  const language = createLanguage({
    ...options,
    caller,
    eosTokenId,
    templates: parsePromptTemplates(templates),
    names: { id: null, title: names },
    itemTokens,
  });
  return {
    ...language,
    titles: written,
    sharedTitles: titles.length - new Set(itemTokens.map((tokens) => tokens.join(' '))).size,
  };
}
