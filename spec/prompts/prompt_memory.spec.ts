import { expect } from 'chai';
import { PromptMemory } from '../../src/prompts/prompt_memory';

describe('PromptMemory', () => {
  it('finds a history by the tokens of its prompt, in whatever array they lie', () => {
    const memory = new PromptMemory();
    memory.remember(Int32Array.of(5, 70_000, 3), [1, 2]);
    expect(memory.historyOf(Int32Array.of(9, 5, 70_000, 3, 9).subarray(1, 4))).to.deep.equal([1, 2]);
  });

  it('tells prompts apart that differ in one token, in length or beyond 16 bits', () => {
    const memory = new PromptMemory();
    memory.remember(Int32Array.of(5, 7), [1]);
    for (const other of [[5], [5, 7, 0], [7, 5], [5, 7 + 65_536]])
      expect(memory.historyOf(Int32Array.from(other))).to.equal(null);
  });

  it('holds prompts of many tokens', () => {
    const memory = new PromptMemory();
    const long = Int32Array.from({ length: 50_003 }, (_, i) => i);
    memory.remember(long, [7]);
    expect(memory.historyOf(long)).to.deep.equal([7]);
    expect(memory.historyOf(long.subarray(1))).to.equal(null);
  });

  it('forgets the prompt that was made or made again longest ago', () => {
    const memory = new PromptMemory(2);
    memory.remember(Int32Array.of(1), [1]);
    memory.remember(Int32Array.of(2), [2]);
    memory.remember(Int32Array.of(1), [11]);
    memory.remember(Int32Array.of(3), [3]);
    expect([1, 2, 3].map((token) => memory.historyOf(Int32Array.of(token)))).to.deep.equal([[11], null, [3]]);
  });
});
