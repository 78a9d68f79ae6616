import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect } from 'chai';
import { batchDataset, causalLM, createBatches, crossEntropy, tappedMethod, type TappedBatch } from 'tfjs-ilrec';
import { forEachBackend } from '../support/backends';
import { attention, chain, dense, embedding, norm, SIZES } from '../support/foreign_models';
import { through } from '../support/foreign_layers';
import { integers, normals } from '../support/random';
import { centralDifferences, crossEntropyOf, maxDifference, mean, type Rows, toRows } from '../support/reference';
import { referenceDecoder, type Weights, weightsOf } from '../support/reference_decoder';

/**
 * Deep supervision, as somebody outside of this package writes it: every layer learns to predict the response through
 * the model's own head.
 */
function deepSupervision({ weight = 0.3, numLayers = Infinity } = {}) {
  return tappedMethod({
    name: 'deepSupervision',
    numLayers,
    metrics: ['last', 'early'],
    loss: (batch) => {
      const last = crossEntropy(batch.finalLogits(), batch.labels);
      const early = crossEntropy(batch.earlyExitLogits(), tf.tile(batch.labels, [batch.numLayers]));
      return { total: tf.add(last, tf.mul(weight, early)), last, early };
    },
  });
}

const [B, T, V, L] = [2, 5, 13, 5];
const ids = integers(B * T, V, 1);
const labels = integers(B * T, V, 2).map((label, i) => (i % T < 2 || i === 8 ? -100 : label));
const positions = [...labels.keys()].filter((i) => labels[i] !== -100);
const inputIds = (): tf.Tensor2D => tf.tensor2d(ids, [B, T], 'int32');
const targets = (): tf.Tensor2D => tf.tensor2d(labels, [B, T], 'int32');
const model = (): tfl.LayersModel =>
  causalLM({
    vocabSize: V,
    hiddenSize: 8,
    intermediateSize: 7,
    numHiddenLayers: L,
    numAttentionHeads: 2,
    initializerRange: 0.4,
    seed: 3,
  });
const sizes = { numHiddenLayers: L, numAttentionHeads: 2, numKeyValueHeads: 2, ropeTheta: 10000, rmsNormEps: 1e-6 };

const meanCrossEntropy = (logits: Rows): number =>
  mean(positions.map((position) => crossEntropyOf(logits[position], labels[position])));

/** The loss of the whole model in float64; `layers` are those that are supervised beside the last. */
function reference(weights: Weights, layers: readonly number[], weight: number): number {
  const rows = Array.from({ length: B }, (_, b) =>
    referenceDecoder(weights, sizes, [...ids.slice(b * T, (b + 1) * T)]),
  );
  const early = layers.map((layer) =>
    meanCrossEntropy(rows.flatMap(({ hiddenStates, project }) => project(hiddenStates[layer]))),
  );
  return meanCrossEntropy(rows.flatMap(({ logits }) => logits)) + weight * mean(early);
}

/** A method of the given loss, attached to a model, and its loss on the batch. */
function lossOf(loss: (batch: TappedBatch) => { total: tf.Tensor }, options = {}): number {
  const method = tappedMethod({ name: 'own', loss, ...options });
  const own = model();
  method.attach(own);
  try {
    return tf.tidy(() => method.loss(targets(), own.apply(inputIds(), { training: true }) as tf.Tensor).dataSync()[0]);
  } finally {
    method.detach();
    own.dispose();
  }
}

describe('tappedMethod', () => {
  forEachBackend(() => {
    it('trains all layers by the loss and the gradient of the float64 model', () => {
      for (const [numLayers, layers] of [
        [Infinity, [0, 1, 2, 3]],
        [2, [2, 3]],
      ] as const) {
        const own = model();
        const method = deepSupervision({ numLayers });
        method.attach(own);
        const weights = weightsOf(own);
        tf.tidy(() => {
          const { value, grads } = tf.variableGrads(() =>
            method.loss(targets(), own.apply(inputIds(), { training: true }) as tf.Tensor),
          );
          expect(value.dataSync()[0]).to.be.closeTo(reference(weights, layers, 0.3), 1e-5);
          [...weights].forEach(([name, rows], i) => {
            const sampled = [...integers(2, rows.length * rows[0].length, i)];
            const numeric = sampled.map((flat) => {
              const [r, c] = [Math.floor(flat / rows[0].length), flat % rows[0].length];
              const moved = (x: number): Weights =>
                new Map(weights).set(
                  name,
                  rows.map((row, at) => (at === r ? row.map((v, column) => (column === c ? x : v)) : row)),
                );
              return centralDifferences((x) => reference(moved(x[0]), layers, 0.3), [rows[r][c]])[0];
            });
            const gradient = grads[own.trainableWeights[i].name].dataSync();
            const made = sampled.map((flat) => gradient[flat]);
            expect(maxDifference(made, numeric), name).to.be.below(3e-5);
          });
        });
        method.detach();
        own.dispose();
      }
    });

    it('does so on a model of foreign layers', async () => {
      const [blocks, final, out] = [['a', 'b', 'c'].map((name) => attention(name)), norm('final'), dense()];
      const input = tfl.input({ shape: [null], dtype: 'int32' });
      const states = blocks
        .reduce((all, block) => [...all, through(block, all[all.length - 1])], [through(embedding(), input)])
        .slice(1);
      const exits = states.map((state) => chain(state, final, out));
      const foreign = tfl.model({ inputs: input, outputs: exits[2] });
      const values = foreign.getWeights().map((weight, i) => tf.tensor(normals(weight.size, i + 1, 0.5), weight.shape));
      foreign.setWeights(values);
      const [first, second, last] = tf.tidy(() =>
        (tfl.model({ inputs: input, outputs: exits }).predict(inputIds()) as tf.Tensor[]).map((logits) =>
          meanCrossEntropy(toRows(logits.dataSync(), SIZES.vocabSize)),
        ),
      );
      const method = deepSupervision();
      foreign.compile({ optimizer: tf.train.sgd(0.1), loss: method.loss, metrics: method.metrics });
      method.attach(foreign);
      const [loss, ...terms] = (await foreign.trainOnBatch(inputIds(), targets())) as number[];
      expect(maxDifference(terms, [last, (first + second) / 2])).to.be.below(1e-5);
      expect(loss).to.be.closeTo(last + (0.3 * (first + second)) / 2, 1e-5);
      expect(((await foreign.trainOnBatch(inputIds(), targets())) as number[])[0]).to.be.below(loss);
      method.detach();
      tf.dispose(values);
    });

    it('works in fitDataset with its callback and validation, and counts training steps alone', async () => {
      const batches = createBatches({
        sequences: [
          [0, 1, 2],
          [2, 1, 0],
          [1, 1],
        ],
        itemTokens: [[3, 6], [4], [5, 7]],
        batchSize: 2,
      });
      const [own, method] = [model(), deepSupervision({ numLayers: 1 })];
      own.compile({ optimizer: tf.train.adam(0.01), loss: method.loss, metrics: method.metrics });
      const { history } = await own.fitDataset(batchDataset(batches), {
        epochs: 3,
        verbose: 0,
        callbacks: [method.callback],
        validationData: batchDataset(batches) as never,
      });
      expect(Object.keys(history)).to.deep.equal(['val_loss', 'val_last', 'val_early', 'loss', 'last', 'early']);
      expect(history.loss[2]).to.be.below(history.loss[0] as number);
      expect(history.val_loss[1]).to.be.below(history.val_loss[0] as number);
      expect(method.step).to.equal(3 * batches.stepsPerEpoch);
      expect(own.layers.some((layer) => Object.hasOwn(layer, 'call'))).to.equal(false);
      own.dispose();
    });

    it('shows the loss what the model made, and where', () => {
      const seen = {} as Record<string, unknown>;
      lossOf(
        (batch) => {
          Object.assign(seen, {
            numLayers: batch.numLayers,
            positions: [...batch.positions],
            labels: [...batch.labels.dataSync()],
            allLabels: [...batch.allLabels],
            inputIds: [...batch.inputIds],
            size: [batch.batchSize, batch.sequenceLength],
            training: batch.training,
            step: batch.step,
            head: batch.head?.weight.shape,
            hidden: [batch.hiddenStates(), batch.finalHidden(), batch.earlyExitHidden()].map(({ shape }) => shape),
          });
          return { total: tf.mean(batch.finalLogits()) };
        },
        { numLayers: 3, inputIds: true },
      );
      const P = positions.length;
      expect(seen).to.deep.equal({
        numLayers: 3,
        positions,
        labels: positions.map((position) => labels[position]),
        allLabels: [...labels],
        inputIds: [...ids],
        size: [B, T],
        training: true,
        step: 0,
        head: [V, 8],
        hidden: [
          [3 * P, 8],
          [P, 8],
          [3 * P, 8],
        ],
      });
    });

    it('leaves no tensor behind', async () => {
      const [own, method] = [model(), deepSupervision()];
      own.compile({ optimizer: tf.train.sgd(0.1), loss: method.loss, metrics: method.metrics });
      const [xs, ys] = [inputIds(), targets()];
      const numTensors = tf.memory().numTensors;
      method.attach(own);
      for (let i = 0; i < 3; i++) {
        await own.trainOnBatch(xs, ys);
        tf.dispose(own.evaluate(xs, ys));
      }
      method.detach();
      expect(tf.memory().numTensors).to.equal(numTensors);
      own.dispose();
    });

    it('says what the loss asked for in vain, in the name of the method', () => {
      const total = tf.scalar(0);
      const failing = (read: (batch: TappedBatch) => unknown) => () => lossOf((batch) => (read(batch), { total }));
      expect(failing((batch) => batch.hiddenStates())).to.throw(
        'own: no layer before the last is tapped; make the method with `numLayers` above 0',
      );
      expect(failing((batch) => batch.inputIds)).to.throw(
        'own: the token ids are not kept; make the method with `inputIds: true` to read them',
      );
      expect(() => lossOf(() => ({ total }), { metrics: ['missing'] })).to.throw(
        'own: loss must return a tensor for each of total, missing, got no missing',
      );
      const flat = tfl.sequential({ layers: [tfl.layers.dense({ name: 'only', units: 3, inputShape: [2] })] });
      expect(() => deepSupervision().attach(flat)).to.throw(
        'deepSupervision: could not find the blocks of this model; set the option taps.blocks. Layers seen: only (Dense)',
      );
      total.dispose();
    });
  });

  it('refuses options out of range', () => {
    const loss = (): { total: tf.Tensor } => ({ total: tf.scalar(0) });
    const made = (options: object) => () => tappedMethod({ name: 'own', loss, ...options });
    expect(made({ numLayers: -1 })).to.throw(
      'tappedMethod: numLayers must be 0, a positive integer or Infinity, got -1',
    );
    expect(made({ name: '' })).to.throw('tappedMethod: name must be a string, got ');
    expect(made({ loss: undefined })).to.throw('tappedMethod: loss must be a function, got undefined');
    expect(made({ taps: { block: 'x' } })).to.throw(
      'tappedMethod: taps must be among blocks, norm, head, embedding, causal, got block',
    );
    expect(made({ layers: 2 })).to.throw(
      'tappedMethod: options must be among name, loss, metrics, numLayers, inputIds, ignoreIndex, taps, got layers',
    );
  });
});
