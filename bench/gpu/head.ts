import * as tf from '@tensorflow/tfjs-core';
import { lossOfRows } from '../models';
import { timeEach } from './device';

export interface HeadSpeed {
  readonly shape: string;
  readonly gigaflops: number;
}

/** ILRec's loss with its gradients on the hidden states, the head frozen: P rows of k + 1 layers against V tokens. */
export async function measureHead(seconds: number, isSmall: boolean): Promise<HeadSpeed> {
  const [vocabSize, hiddenSize, batchSize, response] = isSmall ? [8000, 64, 8, 8] : [49152, 576, 10, 16];
  const numNegativeLayers = 4;
  const rows = lossOfRows({ vocabSize, hiddenSize, batchSize, sequenceLength: response, response, numNegativeLayers });
  const variables = rows.model.trainableWeights.map((weight) => weight.read() as tf.Variable);
  const time = await timeEach(async () => {
    const { value, grads } = tf.variableGrads(rows.loss, variables);
    await value.data();
    tf.dispose([value, grads]);
  }, seconds);
  rows.dispose();
  const numRows = batchSize * response;
  return {
    shape: `P ${numRows}, V ${vocabSize}, D ${hiddenSize}, k ${numNegativeLayers}`,
    gigaflops: (4 * (1 + numNegativeLayers) * numRows * vocabSize * hiddenSize) / time / 1e6,
  };
}
