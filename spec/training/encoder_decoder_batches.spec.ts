import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import type { PromptExamples } from '../../src/prompts/item_language';
import { toTensors } from '../../src/training/batch_dataset';
import { type Batch } from '../../src/training/batches';
import { encoderDecoderBatches } from '../../src/training/encoder_decoder_batches';
import '../support/backends';

/** Examples of one prompt and response each. */
function examplesOf(...pairs: readonly (readonly [number[], number[]])[]): PromptExamples {
  return {
    length: pairs.length,
    lengthOf: (index) => pairs[index][0].length + pairs[index][1].length,
    at: (index) => ({ prompt: Int32Array.from(pairs[index][0]), response: Int32Array.from(pairs[index][1]) }),
  };
}

const rowsOf = (flat: ArrayLike<number> | undefined, rows: number): number[][] => {
  const values = Array.from(flat ?? []);
  const width = values.length / rows;
  return Array.from({ length: rows }, (_, row) => values.slice(row * width, (row + 1) * width));
};

describe('encoderDecoderBatches', () => {
  const pair = examplesOf(
    [
      [1, 8, 9],
      [4, 2, 6],
    ],
    [[1], [5]],
  );

  it('gives the prompt to the encoder, and the response, shifted behind the start token, to the decoder', () => {
    const [batch] = encoderDecoderBatches({
      examples: pair,
      padTokenId: 7,
      decoderStartTokenId: 3,
      bucketTokens: 4,
    }).batchesOf(0);
    expect(rowsOf(batch.inputIds, 2)).to.have.deep.members([
      [1, 8, 9, 7],
      [1, 7, 7, 7],
    ]);
    expect(rowsOf(batch.decoderInputIds, 2)).to.have.deep.members([
      [3, 4, 2],
      [3, 7, 7],
    ]);
    expect(rowsOf(batch.labels, 2)).to.have.deep.members([
      [4, 2, 6],
      [5, -100, -100],
    ]);
    expect(batch).to.include({ batchSize: 2, sequenceLength: 4, numTokens: 8 });
  });

  it('begins the decoder with the padding token unless told otherwise', () => {
    const [batch] = encoderDecoderBatches({ examples: pair, padTokenId: 7 }).batchesOf(0);
    for (const [first] of rowsOf(batch.decoderInputIds, 2)) expect(first).to.equal(7);
  });

  it('shows every example once in an epoch, in another order in each, the same for the same seed and from any step', () => {
    const many = examplesOf(...Array.from({ length: 23 }, (_, i): [number[], number[]] => [[1, i + 2], [i + 30]]));
    const batches = encoderDecoderBatches({ examples: many, batchSize: 5, seed: 4 });
    expect(batches.stepsPerEpoch).to.equal(5);
    const labels = (epoch: number, startStep = 0): number[][] =>
      Array.from(batches.batchesOf(epoch, startStep), (batch: Batch) => [...batch.labels]);
    const sorted = (epoch: number): number[] =>
      labels(epoch)
        .flat()
        .sort((a, b) => a - b);
    expect(sorted(0)).to.deep.equal(Array.from({ length: 23 }, (_, i) => i + 30));
    expect(sorted(1)).to.deep.equal(sorted(0));
    expect(labels(1)).to.not.deep.equal(labels(0));
    expect(labels(1)).to.deep.equal(labels(1));
    expect(labels(1, 2)).to.deep.equal(labels(1).slice(2));
  });

  it('becomes both inputs and the labels as tensors', async () => {
    await tf.setBackend('cpu');
    tf.tidy(() => {
      const [batch] = encoderDecoderBatches({ examples: pair, bucketTokens: 5 }).batchesOf(0);
      const { xs, decoderXs, ys } = toTensors(batch);
      expect([xs.shape, decoderXs?.shape, ys.shape]).to.deep.equal([
        [2, 5],
        [2, 3],
        [2, 3],
      ]);
      expect(new Set([xs.dtype, decoderXs?.dtype, ys.dtype])).to.deep.equal(new Set(['int32']));
    });
  });

  it('refuses no example, and sizes that are none', () => {
    expect(() => encoderDecoderBatches({ examples: examplesOf() })).to.throw(
      'encoderDecoderBatches: there must be at least one example, got none',
    );
    expect(() => encoderDecoderBatches({ examples: pair, batchSize: 0 })).to.throw(
      'encoderDecoderBatches: batchSize must be a positive integer, got 0',
    );
  });
});
