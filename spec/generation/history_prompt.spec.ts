import { expect } from 'chai';
import { historyPrompt } from '../../src/generation/history_prompt';
import { countItems, itemNumberTies, popularityTies } from '../../src/generation/item_ties';

describe('historyPrompt', () => {
  const tokenizer = { bosTokenId: 1, itemTokens: [[3, 7], [4], [5, 8, 9]] };

  it('writes the start token, then the items oldest first', () => {
    expect([...historyPrompt(tokenizer, [2, 0, 1])]).to.deep.equal([1, 5, 8, 9, 3, 7, 4]);
    expect([...historyPrompt(tokenizer, [])]).to.deep.equal([1]);
  });

  it('keeps the newest items when there are more than maxHistory', () => {
    expect([...historyPrompt(tokenizer, [2, 0, 1], 2)]).to.deep.equal([1, 3, 7, 4]);
    expect([...historyPrompt(tokenizer, [2, 0, 1], 0)]).to.deep.equal([1]);
  });

  it('leaves the writing to a language, which gets the newest items', () => {
    const asked: number[][] = [];
    const language = { prompt: (history: ArrayLike<number>) => (asked.push(Array.from(history)), Int32Array.of(9)) };
    expect([...historyPrompt(language, Int32Array.of(2, 0, 1), 2)]).to.deep.equal([9]);
    expect(asked).to.deep.equal([[0, 1]]);
  });

  it('refuses an item that is not in the catalogue', () => {
    expect(() => historyPrompt(tokenizer, [0, 3])).to.throw(
      'historyPrompt: items must be item numbers in [0, 3), got 3',
    );
  });
});

describe('tie rules', () => {
  it('put the item number first, or the count and then the item number', () => {
    const counts = countItems([[0, 2, 2], Int32Array.of(3, 3, 1)], 4);
    expect([...counts]).to.deep.equal([1, 1, 2, 2]);
    const items = Int32Array.of(0, 1, 2, 3);
    expect([...Array.from(itemNumberTies(items))]).to.deep.equal([0, 1, 2, 3]);
    expect([...Array.from(popularityTies(counts)(items))]).to.deep.equal([2, 3, 0, 1]);
  });
});
