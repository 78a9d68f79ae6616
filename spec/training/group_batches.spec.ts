import { expect } from 'chai';
import type { Batch } from '../../src/training/batches';
import { groupBatches, type GroupBatchOptions } from '../../src/training/group_batches';

/** Group i: a prompt of i + 1 tokens, and responses of one and two tokens. */
const groupAt = (index: number): { prompt: number[]; responses: number[][] } => ({
  prompt: [1, ...Array<number>(index).fill(10 + index)],
  responses: [[20 + index], [30 + index, 2]],
});
const options: GroupBatchOptions = { numGroups: 7, groupAt, padTokenId: 0, groupsPerBatch: 3, bucketTokens: 1 };

/** The rows of a batch: prompt and response, read back. */
function rowsOf({ inputIds, labels, batchSize, sequenceLength }: Batch): number[][] {
  return Array.from({ length: batchSize }, (_, row) => {
    const own = labels.slice(row * sequenceLength, (row + 1) * sequenceLength);
    const first = own.findIndex((label) => label >= 0);
    const prompt = inputIds.slice(row * sequenceLength, row * sequenceLength + first + 1);
    return [...prompt, ...own.filter((label) => label >= 0)];
  });
}

describe('groupBatches', () => {
  it('writes the responses of a group one after the other, each behind the prompt, padded to the longest row', () => {
    const [batch] = groupBatches({ ...options, numGroups: 1, groupAt: () => groupAt(2), bucketTokens: 4 }).batchesOf(0);
    expect(batch).to.deep.equal({
      inputIds: Int32Array.of(1, 12, 12, 0, 1, 12, 12, 32),
      labels: Int32Array.of(-100, -100, 22, -100, -100, -100, 32, 2),
      batchSize: 2,
      sequenceLength: 4,
      numTokens: 7,
    });
  });

  it('shows every group once in an epoch, whole, in another order each time', () => {
    const batches = groupBatches(options);
    expect(batches.stepsPerEpoch).to.equal(3);
    const orders = [0, 1].map((epoch) => {
      const rows = [...batches.batchesOf(epoch)].flatMap(rowsOf);
      for (let row = 0; row < rows.length; row += 2)
        expect([rows[row], rows[row + 1]]).to.deep.equal(
          groupAt(rows[row].length - 2).responses.map((response) => [
            ...groupAt(rows[row].length - 2).prompt,
            ...response,
          ]),
        );
      return rows.map(({ length }) => length);
    });
    expect([...orders[0]].sort()).to.deep.equal([...orders[1]].sort());
    expect(orders[0]).to.not.deep.equal(orders[1]);
    expect(orders[0]).to.have.length(14);
  });

  it('goes on in the middle of an epoch', () => {
    const batches = groupBatches(options);
    expect([...batches.batchesOf(1, 2)]).to.deep.equal([...batches.batchesOf(1)].slice(2));
  });

  it('refuses sizes that are not positive, and groups without tokens', () => {
    expect(() => groupBatches({ ...options, groupsPerBatch: 0 })).to.throw(
      'groupBatches: groupsPerBatch must be a positive integer, got 0',
    );
    const empty = groupBatches({ ...options, groupAt: () => ({ prompt: [1], responses: [[3], []] }) });
    expect(() => [...empty.batchesOf(0)]).to.throw(
      'groupBatches: a prompt and its responses must have at least one token, got none in group 0',
    );
  });
});
