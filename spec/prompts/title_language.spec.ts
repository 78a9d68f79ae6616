import { expect } from 'chai';
import fc from 'fast-check';
import { buildPrefixTrie, itemsEndingAt, nodeOfPrefix } from '../../src/generation/prefix_trie';
import { titleLanguage, type TitleLanguageOptions } from '../../src/prompts/title_language';
import { normalizeTitle } from '../../src/tokenizers/item_titles';
import { byteTokenizer, EOS } from '../support/byte_tokenizer';

const tokenizer = byteTokenizer();
const templates = {
  format: '{prompt}\n',
  history: { separator: '\n' },
  tasks: { nextItem: { templates: ['After {history:title}'] } },
};

function language(
  titles: TitleLanguageOptions['titles'],
  options: Partial<TitleLanguageOptions> = {},
): ReturnType<typeof titleLanguage> {
  return titleLanguage({ tokenizer, titles, templates, ...options });
}

describe('titleLanguage', () => {
  it('names an item by the tokens of its title and the end token', () => {
    const made = language(['AB', 'C']);
    expect(made.itemTokens.map((tokens) => [...tokens])).to.deep.equal([
      [65, 66, EOS],
      [67, EOS],
    ]);
    expect(made.responseTokens).to.deep.equal([65, 66, 67, EOS]);
    expect(made.vocabSize).to.equal(259);
  });

  it('has the same tokens for a title in a history and as the response', () => {
    const merged = byteTokenizer({
      merges: [
        ['A', 'B'],
        ['Ġ', 'A'],
      ],
    }); // "AB" is one token, and so is " A"
    const made = titleLanguage({
      tokenizer: merged,
      titles: ['AB', 'A B'],
      templates: { ...templates, tasks: { nextItem: { templates: ['After {history:title}'] } } },
    });
    const text = [...merged.encode('After ')];
    expect([...made.prompt([0])]).to.deep.equal([
      merged.bosTokenId,
      ...text,
      ...made.itemTokens[0].slice(0, -1),
      ...merged.encode('\n'),
    ]);
  });

  it('gives every item of any catalogue a leaf of its own, shared only with items of an equal title', () => {
    const title = fc.oneof(
      fc.constantFrom('Saw', 'Saw 2', 'Saw  2', 'Caf\u00e9', 'Cafe\u0301', 'Saw</s>'),
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 5 }).filter((text) => normalizeTitle(text) !== ''),
    );
    fc.assert(
      fc.property(fc.array(title, { minLength: 1, maxLength: 9 }), (titles) => {
        const made = language(titles);
        const trie = buildPrefixTrie(made.itemTokens);
        titles.forEach((each, item) => {
          const node = nodeOfPrefix(trie, made.itemTokens[item]);
          expect(trie.childStart[node + 1], 'no title goes on from here').to.equal(trie.childStart[node]);
          const equal = [...titles.keys()].filter((other) => normalizeTitle(titles[other]) === normalizeTitle(each));
          expect([...itemsEndingAt(trie, node)]).to.deep.equal(equal);
        });
        expect(made.sharedTitles).to.equal(titles.length - new Set(titles.map(normalizeTitle)).size);
      }),
      { seed: 11, numRuns: 100 },
    );
  });

  it('lets items share a leaf whose titles are equal up to maxTitleTokens', () => {
    const made = language(['Saw blue', 'Saw red', 'Nut'], { maxTitleTokens: 3 });
    expect(made.itemTokens[0]).to.deep.equal(made.itemTokens[1]);
    expect(made.sharedTitles).to.equal(1);
    expect(made.titles).to.deep.equal(['Saw blue', 'Saw red', 'Nut']);
  });

  it('asks with the titles of the history and learns the title alone', () => {
    const made = language(['Saw', 'Drill', 'Nut']);
    const examples = made.examples([[2, 0, 1]]);
    const pairs = Array.from({ length: examples.length }, (_, i) =>
      [examples.at(i).prompt, examples.at(i).response].map((tokens) => tokenizer.decode(tokens)),
    );
    expect(pairs).to.have.deep.members([
      ['<s>After Nut\n', 'Saw</s>'],
      ['<s>After Nut\nSaw\n', 'Drill</s>'],
    ]);
    expect(made.historyOf(examples.at(0).prompt)).to.not.equal(null);
  });

  it("has prompts without a template of the user's", () => {
    const made = titleLanguage({ tokenizer, titles: ['Saw', 'Drill'] });
    expect(tokenizer.decode(made.prompt([1, 0]))).to.equal(
      '<s>A customer bought these products, oldest first:\nDrill\nSaw\nNext:\n',
    );
    expect(tokenizer.decode(made.prompt([]))).to.equal(
      '<s>A customer bought these products, oldest first:\n(nothing yet)\nNext:\n',
    );
  });

  it('writes items without a title by their id when asked to', () => {
    expect(language(['Saw', ' ', null], { untitled: 'id', itemIds: ['B01', 'B02', 'B03'] }).titles).to.deep.equal([
      'Saw',
      'item B02',
      'item B03',
    ]);
    expect(language(['Saw', ' '], { untitled: 'id' }).titles).to.deep.equal(['Saw', 'item 1']);
  });

  it('refuses what it cannot name, each by a sentence', () => {
    expect(() => language([])).to.throw(
      'titleLanguage: there must be at least one item, got none; give one title per item',
    );
    expect(() => language(['a', '', null, undefined, '\t', ' ', ''])).to.throw(
      "titleLanguage: each item must have a title, got 6 without: 1, 2, 3, 4, 5, ...; give them titles or set untitled to 'id'",
    );
    expect(() => language(['a', ''], { itemIds: ['B01', 'B02'] })).to.throw(
      "titleLanguage: each item must have a title, got 1 without: B02; give them titles or set untitled to 'id'",
    );
    expect(() => language(['a'], { itemIds: [] })).to.throw(
      'titleLanguage: itemIds must have one entry per title, got 0 for 1; give both in the order of the catalogue',
    );
    expect(() => titleLanguage({ tokenizer: null as never, titles: ['a'] })).to.throw(
      'titleLanguage: tokenizer must be a TextTokenizer, got null; use a checkpoint with tokenizer.json, or TextTokenizer.fromJSON',
    );
    expect(() => titleLanguage({ tokenizer: byteTokenizer(), titles: undefined as never })).to.throw(
      'titleLanguage: there must be at least one item, got none',
    );
    expect(() => language(['a'], { tokenizer: byteTokenizer({ named: false }) })).to.throw(
      'titleLanguage: responses must end with a token of the tokenizer, got none; set eosTokenId below 259',
    );
    expect(() => language(['a'], { templates: { tasks: { nextItem: { templates: ['{history:id}'] } } } })).to.throw(
      'titleLanguage: templates must name items by their titles, got {history:id} in a template of nextItem; write {history:title}',
    );
    expect(() =>
      language(['a'], { templates: { tasks: { ...templates.tasks, idOfTitle: { templates: ['{title}'] } } } }),
    ).to.throw('titleLanguage: tasks must be about titles only, got idOfTitle; leave it out');
    expect(() => language(['a'], { templates: { tasks: { nextItem: { templates: ['{titel}'] } } } })).to.throw(
      /^titleLanguage: templates must be valid templates:/,
    );
  });
});
