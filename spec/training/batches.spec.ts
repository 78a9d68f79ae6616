import { expect } from 'chai';
import fc from 'fast-check';
import { batchOrder, createBatches, type Batch, type BatchOptions } from '../../src/training/batches';

const itemTokens = [[10, 20], [11, 21, 31], [12], [13, 23]];

describe('createBatches', () => {
  it('packs a history into one row in which every token of every item is a target', () => {
    const [batch] = all({ sequences: [[0, 1]], itemTokens, bucketTokens: 1 });
    expect(rowsOf(batch)).to.deep.equal([{ inputIds: [1, 10, 20, 11, 21], labels: [10, 20, 11, 21, 31] }]);
    expect(batch.numTokens).to.equal(5);
  });

  it('pads to the right up to a multiple of bucketTokens', () => {
    const batches = all({ sequences: [[0, 1], [0]], itemTokens, bucketTokens: 4, batchSize: 1 });
    expect(batches.flatMap(rowsOf)).to.have.deep.members([
      { inputIds: [1, 10, 0, 0], labels: [10, 20, -100, -100] },
      { inputIds: [1, 10, 20, 11, 21], labels: [10, 20, 11, 21, 31] }, // the longest row of all needs no more
    ]);
    expect(batches.map(({ numTokens }) => numTokens)).to.have.members([2, 5]);
  });

  it('keeps the rows of one batch in one length', () => {
    const [batch] = all({ sequences: [[0, 1], [2]], itemTokens });
    expect(rowsOf(batch)).to.deep.equal([
      { inputIds: [1, 0, 0, 0, 0], labels: [12, -100, -100, -100, -100] },
      { inputIds: [1, 10, 20, 11, 21], labels: [10, 20, 11, 21, 31] },
    ]);
    expect(batch.numTokens).to.equal(6);
  });

  it('labels tokens otherwise where asked to, as for SASRec', () => {
    const [batch] = all({
      sequences: [[0, 2, 1]],
      itemTokens: [[1], [2], [3]],
      itemLabels: [[0], [1], [2]],
      bosTokenId: 0,
    });
    expect(rowsOf(batch)).to.deep.equal([{ inputIds: [0, 1, 3], labels: [0, 2, 1] }]);
  });

  it('gives one target and its history per row where batching is single', () => {
    const rows = all({
      sequences: [[0, 1, 3]],
      itemTokens,
      batching: 'single',
      maxHistory: 1,
      bucketTokens: 1,
      batchSize: 1,
      trainFirstItem: false,
    }).flatMap(rowsOf);
    expect(rows).to.have.deep.members([
      { inputIds: [1, 10, 20, 11, 21], labels: [-100, -100, 11, 21, 31] },
      { inputIds: [1, 11, 21, 31, 13], labels: [-100, -100, -100, 13, 23] },
    ]);
  });

  it('leaves the first item out of the targets when asked to', () => {
    const [batch] = all({ sequences: [[0, 3], [2]], itemTokens, bucketTokens: 1, trainFirstItem: false });
    expect(rowsOf(batch)).to.deep.equal([{ inputIds: [1, 10, 20, 13], labels: [-100, -100, 13, 23] }]);
  });

  it('makes each item of each sequence a target exactly once, with at least half of the history it may see', () => {
    const tokens = Array.from({ length: 50 }, (_, item) => [100 + item]);
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 9 }),
        fc.constantFrom('packed' as const, 'single' as const),
        (sizes, maxHistory, batching) => {
          const sequences = sizes.map((size) => Array.from({ length: size }, (_, i) => i));
          const rows = all({
            sequences,
            itemTokens: tokens,
            batching,
            maxHistory,
            bucketTokens: 1,
            batchSize: 3,
          }).flatMap(rowsOf);
          const targets = rows.flatMap(({ labels }) => labels).filter((label) => label >= 0);
          expect(targets.sort()).to.deep.equal(
            sequences.flatMap((sequence) => sequence.map((item) => 100 + item)).sort(),
          );
          for (const { labels } of rows) {
            labels.forEach((label, t) => {
              if (label >= 0) expect(t).to.be.within(Math.min(label - 100, Math.ceil(maxHistory / 2)), maxHistory);
            });
          }
        },
      ),
    );
  });

  it('gives the same batches for the same seed and epoch, others for others', () => {
    const options = { sequences: Array.from({ length: 30 }, (_, i) => [i % 4, (i + 1) % 4]), itemTokens, batchSize: 4 };
    const batches = createBatches({ ...options, seed: 5 });
    expect([...batches.batchesOf(2)]).to.deep.equal([...createBatches({ ...options, seed: 5 }).batchesOf(2)]);
    expect([...batches.batchesOf(2)]).to.not.deep.equal([...batches.batchesOf(3)]);
    expect([...batches.batchesOf(2)]).to.not.deep.equal([...createBatches({ ...options, seed: 6 }).batchesOf(2)]);
  });

  it('starts at any step of an epoch', () => {
    const batches = createBatches({
      sequences: Array.from({ length: 30 }, (_, i) => [i % 4]),
      itemTokens,
      batchSize: 7,
    });
    const whole = [...batches.batchesOf(1)];
    expect(whole).to.have.length(batches.stepsPerEpoch);
    for (let start = 0; start <= whole.length; start++)
      expect([...batches.batchesOf(1, start)]).to.deep.equal(whole.slice(start));
  });

  it('refuses sizes that are no positive integers, and data without a target', () => {
    expect(() => createBatches({ sequences: [[0]], itemTokens, batchSize: 0 })).to.throw(
      'createBatches: batchSize must be a positive integer, got 0',
    );
    expect(() => createBatches({ sequences: [[0]], itemTokens, trainFirstItem: false })).to.throw(
      'createBatches: there must be at least one target, got none; give users with two training items or more',
    );
  });
});

describe('batchOrder', () => {
  it('uses each row once and makes one batch at most smaller than the rest', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 300 }),
        fc.integer({ min: 1, max: 8 }),
        fc.integer(),
        (lengths, batchSize, seed) => {
          const order = batchOrder(Int32Array.from(lengths), batchSize, seed);
          expect(order.length).to.equal(Math.ceil(lengths.length / batchSize));
          expect(order.flatMap((batch) => [...batch]).sort((a, b) => a - b)).to.deep.equal([...lengths.keys()]);
          expect(order.filter((batch) => batch.length < batchSize).length).to.be.at.most(1);
        },
      ),
    );
  });
});

function all(options: BatchOptions): Batch[] {
  return [...createBatches(options).batchesOf(0)];
}

function rowsOf({ inputIds, labels, batchSize, sequenceLength }: Batch): { inputIds: number[]; labels: number[] }[] {
  return Array.from({ length: batchSize }, (_, b) => {
    const [low, high] = [b * sequenceLength, (b + 1) * sequenceLength];
    return { inputIds: [...inputIds.subarray(low, high)], labels: [...labels.subarray(low, high)] };
  });
}
