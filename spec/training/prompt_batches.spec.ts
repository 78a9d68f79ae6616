import { expect } from 'chai';
import fc from 'fast-check';
import type { PromptExamples } from '../../src/prompts/item_language';
import type { Batch } from '../../src/training/batches';
import { promptBatches, type PromptBatchOptions } from '../../src/training/prompt_batches';

const PAD = 0;

/** Examples that are the same in every epoch. */
function examplesOf(pairs: readonly (readonly [number[], number[]])[]): PromptExamples {
  return {
    length: pairs.length,
    lengthOf: (i) => pairs[i][0].length + pairs[i][1].length,
    at: (i) => ({ prompt: Int32Array.from(pairs[i][0]), response: Int32Array.from(pairs[i][1]) }),
  };
}

function all(
  pairs: readonly (readonly [number[], number[]])[],
  options: Partial<PromptBatchOptions> = {},
  epoch = 0,
): Batch[] {
  return [...promptBatches({ examples: () => examplesOf(pairs), padTokenId: PAD, ...options }).batchesOf(epoch)];
}

function rowsOf({ inputIds, labels, batchSize, sequenceLength }: Batch): { inputIds: number[]; labels: number[] }[] {
  return Array.from({ length: batchSize }, (_, b) => {
    const [low, high] = [b * sequenceLength, (b + 1) * sequenceLength];
    return { inputIds: [...inputIds.subarray(low, high)], labels: [...labels.subarray(low, high)] };
  });
}

describe('promptBatches', () => {
  it('labels the tokens of the response alone, each at the token before it', () => {
    const [batch] = all(
      [
        [
          [5, 6, 7],
          [8, 9],
        ],
      ],
      { bucketTokens: 1 },
    );
    expect(rowsOf(batch)).to.deep.equal([{ inputIds: [5, 6, 7, 8], labels: [-100, -100, 8, 9] }]);
    expect(batch.numTokens).to.equal(4);
  });

  it('pads to the right, to a multiple of bucketTokens', () => {
    const [batch] = all(
      [
        [[5], [8]],
        [
          [5, 6, 7],
          [8, 9],
        ],
      ],
      { bucketTokens: 3, ignoreIndex: -1 },
    );
    expect(rowsOf(batch)).to.have.deep.members([
      { inputIds: [5, PAD, PAD, PAD, PAD, PAD], labels: [8, -1, -1, -1, -1, -1] },
      { inputIds: [5, 6, 7, 8, PAD, PAD], labels: [-1, -1, 8, 9, -1, -1] },
    ]);
    expect(batch.numTokens).to.equal(5);
  });

  it('pads to maxTokens at most', () => {
    expect(
      all(
        [
          [
            [5, 6, 7],
            [8, 9],
          ],
        ],
        { bucketTokens: 3, maxTokens: 5 },
      )[0].sequenceLength,
    ).to.equal(5);
  });

  it('gives every example once an epoch, whole', () => {
    const tokens = fc.array(fc.integer({ min: 1, max: 99 }), { minLength: 1, maxLength: 9 });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(tokens, tokens), { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 1, max: 7 }),
        fc.integer({ min: 0, max: 3 }),
        (pairs, batchSize, epoch) => {
          const batches = all(pairs, { batchSize }, epoch);
          expect(batches.length).to.equal(Math.ceil(pairs.length / batchSize));
          const read = batches.flatMap(rowsOf).map(({ inputIds, labels }) => {
            const first = labels.findIndex((label) => label !== -100);
            return [inputIds.slice(0, first + 1), labels.filter((label) => label !== -100)].join('|');
          });
          expect(read.sort()).to.deep.equal(pairs.map((pair) => pair.join('|')).sort());
        },
      ),
      { seed: 13, numRuns: 60 },
    );
  });

  it('gives the same batches for the same seed and epoch, others for others, from any step on', () => {
    const pairs = Array.from({ length: 31 }, (_, i): [number[], number[]] => [
      new Array<number>(1 + (i % 5)).fill(i + 1),
      [i + 1],
    ]);
    const batches = promptBatches({ examples: () => examplesOf(pairs), padTokenId: PAD, batchSize: 4, seed: 5 });
    const whole = [...batches.batchesOf(2)];
    expect(whole).to.have.length(batches.stepsPerEpoch);
    for (let start = 0; start <= whole.length; start++)
      expect([...batches.batchesOf(2, start)]).to.deep.equal(whole.slice(start));
    expect(whole).to.not.deep.equal([...batches.batchesOf(3)]);
    expect(whole).to.not.deep.equal(all(pairs, { batchSize: 4, seed: 6 }, 2));
  });

  it('takes the examples of each epoch and writes those of the batches asked for only', () => {
    const written: number[] = [];
    const examples = (epoch: number): PromptExamples => {
      const { at, ...rest } = examplesOf([
        [[1], [epoch + 7]],
        [[2], [epoch + 7]],
        [[3], [epoch + 7]],
      ]);
      return { ...rest, at: (i) => (written.push(i), at(i)) };
    };
    const { value } = promptBatches({ examples, padTokenId: PAD, batchSize: 2, bucketTokens: 1 })
      .batchesOf(4, 1)
      .next();
    const { labels, batchSize } = value as Batch;
    expect([...labels]).to.deep.equal(new Array(batchSize).fill(11));
    expect(written).to.have.length(batchSize);
  });

  it('refuses sizes, rows and epochs that do not fit, each by a sentence', () => {
    expect(() => all([[[1], [2]]], { batchSize: 0 })).to.throw(
      'promptBatches: batchSize must be a positive integer, got 0',
    );
    expect(() =>
      all(
        [
          [[1], [2]],
          [
            [1, 2, 3],
            [4, 5],
          ],
        ],
        { maxTokens: 3 },
      ),
    ).to.throw(
      "promptBatches: rows must have at most maxTokens = 3 input tokens, got 1 longer ones of up to 4 in epoch 0; set the language's maxPromptTokens and maxTitleTokens",
    );
    const uneven = promptBatches({
      examples: (epoch) => examplesOf(new Array<[number[], number[]]>(epoch + 1).fill([[1], [2]])),
      padTokenId: PAD,
    });
    expect(() => [...uneven.batchesOf(1)]).to.throw(
      'promptBatches: every epoch must have as many examples, got 1 in epoch 0 and 2 in epoch 1',
    );
  });
});
