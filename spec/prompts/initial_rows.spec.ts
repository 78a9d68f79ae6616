import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import { initialRows, type InitialRowsOptions } from '../../src/prompts/initial_rows';
import { type LcRecLanguage, lcRecLanguage } from '../../src/prompts/lc_rec_language';
import { forEachBackend } from '../support/backends';
import { byteTokenizer } from '../support/byte_tokenizer';
import { normals } from '../support/random';

const D = 3;
const [A, B, C] = [65, 66, 67]; // without merges a token is a byte
const tokenizer = byteTokenizer();
const templates = { tasks: { nextItem: { templates: ['{history:id}'] } } };
const language = lcRecLanguage({
  tokenizer,
  templates,
  semanticIds: [
    ['<a_0>', '<b_0>'],
    ['<a_0>', '<b_1>'],
    ['<a_1>', '<b_0>'],
    ['<a_2>', '<b_1>'],
  ],
  titles: ['AB', 'C', 'AAC', null],
});

async function rowsOf(
  of: LcRecLanguage,
  options: InitialRowsOptions,
): Promise<{ rows: number[][]; table: number[][] }> {
  const table = tf.tensor2d(normals(tokenizer.vocabSize * D, 7), [tokenizer.vocabSize, D]);
  const { values, ids } = await initialRows(table, of, options);
  const result = {
    rows: Array.from(ids, (_, r) => [...values.subarray(r * D, (r + 1) * D)]),
    table: table.arraySync(),
  };
  table.dispose();
  return result;
}

function expectClose(actual: number[][], expected: number[][]): void {
  expect(actual.length).to.equal(expected.length);
  actual.forEach((row, r) => row.forEach((value, d) => expect(value, `row ${r}`).to.be.closeTo(expected[r][d], 1e-5)));
}

/** sum of weight * row. */
const mix = (...terms: [number, number[]][]): number[] =>
  Array.from({ length: D }, (_, d) => terms.reduce((sum, [weight, row]) => sum + weight * row[d], 0));

describe('initialRows', () => {
  forEachBackend(() => {
    it('starts a token from the mean over its items of the mean of their titles', async () => {
      const { rows, table } = await rowsOf(language, { strategy: 'titles', noise: 0 });
      const [ab, c, aac] = [
        mix([1 / 2, table[A]], [1 / 2, table[B]]),
        table[C],
        mix([2 / 3, table[A]], [1 / 3, table[C]]),
      ];
      const [a0, a1] = [mix([1 / 2, ab], [1 / 2, c]), aac];
      const level0 = mix([1 / 2, a0], [1 / 2, a1]); // <a_2> has no titled item: the mean of its level
      expectClose(rows, [a0, a1, level0, mix([1 / 2, ab], [1 / 2, aac]), c]);
    });

    it('starts a token from the mean of its level when asked to', async () => {
      const byTitle = (await rowsOf(language, { noise: 0 })).rows;
      const level0 = mix([1 / 2, byTitle[0]], [1 / 2, byTitle[1]]);
      const level1 = mix([1 / 2, byTitle[3]], [1 / 2, byTitle[4]]);
      expectClose((await rowsOf(language, { strategy: 'level', noise: 0 })).rows, [
        level0,
        level0,
        level0,
        level1,
        level1,
      ]);
    });

    it('starts from the mean of the vocabulary where no item has a title', async () => {
      const untitled = lcRecLanguage({ tokenizer, templates, semanticIds: [['<a_0>'], ['<a_1>']] });
      const { rows, table } = await rowsOf(untitled, { noise: 0 });
      const mean = mix(...table.map((row): [number, number[]] => [1 / table.length, row]));
      expectClose(rows, [mean, mean]);
    });

    it("adds noise of the asked share of the table's deviation, the same for the same seed", async () => {
      const many = lcRecLanguage({
        tokenizer,
        templates,
        semanticIds: Array.from({ length: 400 }, (_, item) => [`<a_${item}>`]),
      });
      const still = (await rowsOf(many, { noise: 0 })).rows.flat();
      const { rows, table } = await rowsOf(many, { noise: 0.25, seed: 3 });
      const deviationOf = (values: number[]): number =>
        Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
      const mean = mix(...table.map((row): [number, number[]] => [1 / table.length, row]));
      const spread = deviationOf(table.flatMap((row) => row.map((value, d) => value - mean[d])));
      // 1200 draws: a standard deviation of 0.005
      expect(deviationOf(rows.flat().map((value, i) => value - still[i])) / spread).to.be.within(0.235, 0.265);
      expect((await rowsOf(many, { noise: 0.25, seed: 3 })).rows).to.deep.equal(rows);
      expect((await rowsOf(many, { noise: 0.25, seed: 4 })).rows).to.not.deep.equal(rows);
    });

    it('gives rows to the tokens that are new alone', async () => {
      const table = tf.tensor2d(normals(260 * D, 7), [260, D]);
      const known = byteTokenizer().addTokens(['<a_0>']);
      const { ids, values } = await initialRows(
        table,
        lcRecLanguage({ tokenizer: known, templates, semanticIds: [['<a_0>', '<b_0>']] }),
      );
      expect([...ids]).to.deep.equal([260]);
      expect(values.length).to.equal(D);
      table.dispose();
    });

    it('leaves no tensor behind', async () => {
      const before = tf.memory().numTensors;
      await rowsOf(language, {});
      expect(tf.memory().numTensors).to.equal(before);
    });

    it('refuses what it has no rows from, each by a sentence', async () => {
      const message = (promise: Promise<unknown>): Promise<string> =>
        promise.then(
          () => 'nothing thrown',
          (error: Error) => error.message,
        );
      const untitled = lcRecLanguage({ tokenizer, templates, semanticIds: [['<a_0>']] });
      const table = tf.zeros<tf.Rank.R2>([67, D]);
      expect(await message(initialRows(table, untitled, { strategy: 'level' }))).to.equal(
        "initialRows: strategy 'level' needs titles, got none; give titles or use 'vocabulary'",
      );
      expect(await message(initialRows(table, language))).to.equal(
        'initialRows: the table must have a row for every token of a title, got 67 rows and token 67; use the model of this tokenizer',
      );
      expect(await message(initialRows(table, language, { noise: -1 }))).to.equal(
        'initialRows: noise must be 0 or more, got -1',
      );
      table.dispose();
    });
  });
});
