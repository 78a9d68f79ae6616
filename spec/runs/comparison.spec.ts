import { expect } from 'chai';
import type { EvaluationResult } from '../../src/evaluation/evaluate_ranking';
import { findMethod } from '../../src/methods/registry';
import { sliceUsers } from '../../src/runs/comparison';

describe('sliceUsers', () => {
  const sftWith = (ranks: number[]): Parameters<typeof sliceUsers>[0][number] => ({
    method: findMethod('sft'),
    results: [{ ranks: Int32Array.from(ranks) } as EvaluationResult],
  });

  it('keeps cold targets apart, and cuts the others by the quartiles of the items that are not cold', () => {
    // items that are not cold: 1, 2, 3, 4, whose quartiles are 1, 2 and 3
    const itemCounts = [0, 0, 0, 0, 0, 1, 2, 3, 4];
    const targetCounts = [4, 0, 1, 3, 0, 2];
    const ranks = [1, 0, 3, 1, 3, 1]; // gains 1, 0, .5, 1, .5, 1
    const cases = { historyLengths: [2, 2, 2, 2, 2, 2], targetCounts, itemCounts };
    const slices = sliceUsers([sftWith(ranks)], cases).filter(({ by }) => by === 'popularity');
    expect(slices.map(({ low, high, users, methods }) => [low, high, users, methods[0].mean])).to.deep.equal([
      [0, 0, 2, 0.25],
      [1, 1, 1, 0.5],
      [2, 2, 1, 1],
      [3, 3, 1, 1],
      [4, 4, 1, 1],
    ]);
  });

  it('has a slice of cold targets alone where there are no others, and none where there are none', () => {
    const cases = { historyLengths: [1, 1], itemCounts: [0, 0, 7] };
    const popularity = (targetCounts: number[]): number[][] =>
      sliceUsers([sftWith([1, 2])], { ...cases, targetCounts }).flatMap(({ by, low, rows }) =>
        by === 'popularity' ? [[low, rows]] : [],
      );
    expect(popularity([0, 0])).to.deep.equal([[0, 2]]);
    expect(popularity([7, 7])).to.deep.equal([[7, 2]]);
  });

  it('counts users and rows of a slice, and draws users whole', () => {
    const cases = { historyLengths: [1, 1, 1, 5], targetCounts: [1, 1, 1, 1], itemCounts: [1], clusters: [3, 3, 3, 8] };
    const [short, long] = sliceUsers([sftWith([1, 1, 0, 0])], cases);
    expect([short.users, short.rows, long.users, long.rows]).to.deep.equal([1, 3, 1, 1]);
    expect(short.methods[0].ci95).to.deep.equal([2 / 3, 2 / 3]); // one user, always drawn
  });
});
