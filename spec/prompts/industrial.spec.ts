import { expect } from 'chai';
import { existsSync, readFileSync } from 'node:fs';
import { buildPrefixTrie, itemsEndingAt, nodeOfPrefix } from '../../src/generation/prefix_trie';
import { lcRecLanguage } from '../../src/prompts/lc_rec_language';
import { titleLanguage } from '../../src/prompts/title_language';
import { promptBatches } from '../../src/training/prompt_batches';
import { byteTokenizer } from '../support/byte_tokenizer';

const folder = new URL('../../../shared/data/industrial/', import.meta.url);

const title = existsSync(folder)
  ? 'the item languages on real titles'
  : 'the item languages on real titles (skipped: ../shared/data is not there)';
(existsSync(folder) ? describe : describe.skip)(title, () => {
  let titles: string[];
  let semanticIds: string[][];
  let sequences: number[][];

  before(() => {
    const read = <T>(name: string): Record<string, T> =>
      JSON.parse(readFileSync(new URL(`Industrial_and_Scientific.${name}.json`, folder), 'utf8')) as Record<string, T>;
    const items = read<{ title: string }>('item');
    const ids = read<string[]>('index');
    titles = Object.keys(ids).map((item) => items[item].title);
    semanticIds = Object.values(ids);
    sequences = Object.values(read<number[]>('reconstructed.inter'));
  });

  it('gives each of 3,686 titles a leaf, shared by the items of an equal title', () => {
    const language = titleLanguage({ tokenizer: byteTokenizer(), titles });
    const trie = buildPrefixTrie(language.itemTokens);
    const leaves = new Set(language.itemTokens.map((tokens) => nodeOfPrefix(trie, tokens)));
    expect(titles.length).to.equal(3686);
    expect(language.sharedTitles).to.equal(40); // 27 items are called 'Industrial & Scientific" />', 14 pairs share a title
    expect(leaves.size).to.equal(3646);
    expect([...leaves].reduce((sum, leaf) => sum + itemsEndingAt(trie, leaf).length, 0)).to.equal(3686);
    for (const leaf of leaves) expect(trie.childStart[leaf + 1]).to.equal(trie.childStart[leaf]);
  });

  it('has 3,670 distinct semantic ids of new tokens, and writes the prompts of an epoch', () => {
    const language = lcRecLanguage({ tokenizer: byteTokenizer(), titles, semanticIds, maxHistory: 10 });
    expect(new Set(language.itemTokens.map((tokens) => tokens.join())).size).to.equal(3670);
    expect(language.vocabSize).to.equal(259 + new Set(semanticIds.flat()).size);
    const train = sequences.slice(0, 300).map((sequence) => sequence.slice(0, -1));
    const batches = promptBatches({
      examples: (epoch) => language.examples(train, { epoch, tasks: { idOfTitle: 0.02, titleOfId: 0.02 } }),
      padTokenId: language.padTokenId,
      batchSize: 32,
    });
    const targets = train.reduce((sum, { length }) => sum + Math.max(0, length - 1), 0);
    let rows = 0;
    for (const { batchSize } of batches.batchesOf(0)) rows += batchSize;
    expect(rows).to.equal(targets + 2 * Math.round(targets / 2) + 2 * Math.round(0.02 * 3686));
  });
});
