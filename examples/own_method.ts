/** A method of your own in one file: a GRU over item numbers. compare_own_method.ts trains it. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import * as z from 'zod';
import { createBatches, disposeModel, type ItemScorer } from 'tfjs-ilrec';
import { defineMethod, scorerLists } from 'tfjs-ilrec/node';

/** Token ids int32 [B, T] to scores of all items [B, T, N]; token 0 starts every history, token i + 1 is item i. */
function gru(numItems: number, units: number, seed: number): tfl.LayersModel {
  // a seed of 0 would mean none
  const embeddingsInitializer = tfl.initializers.randomNormal({ stddev: 0.1, seed: seed + 3 });
  const kernelInitializer = tfl.initializers.glorotUniform({ seed: seed + 1 });
  const recurrentInitializer = tfl.initializers.glorotUniform({ seed: seed + 2 });
  return tfl.sequential({
    layers: [
      tfl.layers.embedding({ inputDim: numItems + 1, outputDim: units, inputShape: [null], embeddingsInitializer }),
      tfl.layers.gru({ units, returnSequences: true, kernelInitializer, recurrentInitializer }),
      tfl.layers.dense({ units: numItems, kernelInitializer: tfl.initializers.glorotUniform({ seed: seed + 4 }) }),
    ],
  });
}

/** Mean cross-entropy of the labels [B, T]; positions with label -100 do not count. */
function itemLoss(labels: tf.Tensor, scores: tf.Tensor): tf.Scalar {
  const targets = tf.oneHot(tf.cast(labels, 'int32'), scores.shape[2] ?? 0); // [B, T, N], zeros where the label is -100
  return tf.div(tf.neg(tf.sum(tf.mul(targets, tf.logSoftmax(scores)))), tf.sum(targets));
}

function scorerOf(model: tfl.LayersModel, numItems: number): ItemScorer {
  const score = (histories: readonly ArrayLike<number>[]): tf.Tensor2D =>
    tf.tidy(() => {
      const rows = histories.map((history) => [0, ...Array.from(history, (item) => item + 1)]);
      const longest = Math.max(...rows.map((row) => row.length));
      const ids = rows.map((row) => [...row, ...new Array<number>(longest - row.length).fill(0)]); // padded right
      const scores = model.predict(tf.tensor2d(ids, [rows.length, longest], 'int32')) as tf.Tensor3D; // [R, T, N]
      return tf.concat(rows.map((row, i) => tf.reshape(tf.slice(scores, [i, row.length - 1, 0], [1, 1, -1]), [1, -1])));
    });
  return { name: 'gru', numItems, score };
}

export const gruMethod = defineMethod({
  name: 'gru',
  title: 'GRU',
  summary: 'a recurrent network over item numbers',
  color: { light: '#a03070', dark: '#e58abf' },
  order: 35, // after SASRec
  kind: 'item-scorer',
  section: z.strictObject({ units: z.number().int().min(1).default(32) }), // `methods.gru` of a config
  async build({ section, config, data: { numItems, split }, files }) {
    const model = gru(numItems, section.units, config.seed);
    const items = Array.from({ length: numItems }, (_, item) => [item]);
    const { batchSize, maxHistory } = config.training;
    const itemTokens = items.map(([item]) => [item + 1]);
    const [sequences, itemLabels, seed] = [split.train, items, config.seed];
    const batches = createBatches({ sequences, itemTokens, itemLabels, batchSize, maxHistory, seed, bosTokenId: 0 });
    return {
      ...scorerLists(scorerOf(model, numItems), config.training),
      training: { model, batches, settings: config.training, objective: () => ({ loss: itemLoss }) },
      save: () => files.saveModel(model),
      dispose: () => disposeModel(model),
    };
  },
  async load({ config, items, files }) {
    const model = await files.loadModel();
    return { ...scorerLists(scorerOf(model, items.length), config.training), dispose: () => disposeModel(model) };
  },
});
