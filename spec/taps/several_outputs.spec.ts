import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { ilrec, METRIC_NAMES } from '../../src/ilrec/ilrec';
import { forEachBackend } from '../support/backends';
import { datasetOf } from '../support/datasets';
import { attention, chain, dense, embedding, norm, SIZES } from '../support/foreign_models';
import { through } from '../support/foreign_layers';
import { integers, normals } from '../support/random';
import { maxDifference } from '../support/reference';

const B = 3;
const { vocabSize: V, length: T } = SIZES;
const ids = integers(B * T, V, 1);
const labels = integers(B * T, V, 2).map((label, at) => (at % T < 2 ? -100 : label));
const values = normals(B * T, 5);
const inputIds = (): tf.Tensor2D => tf.tensor2d(ids, [B, T], 'int32');
const targets = (): tf.Tensor2D => tf.tensor2d(labels, [B, T], 'int32');
const wanted = (): tf.Tensor3D => tf.tensor3d(values, [B, T, 1]);

type Outputs = 'logits alone' | 'value and logits' | 'logits and their probabilities' | 'two heads';

/** A transformer whose last block has one or more readers. */
function model(outputs: Outputs): tfl.LayersModel {
  const input = tfl.input({ shape: [null], dtype: 'int32' });
  const hidden = chain(through(embedding(), input), attention('a'), attention('b'), attention('c'), norm('final'));
  const logits = through(dense('logits'), hidden);
  const made = {
    'logits alone': () => [logits],
    'value and logits': () => [through(dense('value', 1), hidden), logits],
    'logits and their probabilities': () => [
      logits,
      through(tfl.layers.softmax({ name: 'probabilities', axis: -1 }), logits),
    ],
    'two heads': () => [logits, through(dense('other'), hidden)],
  }[outputs]();
  const built = tfl.model({ inputs: input, outputs: made });
  const weights = built
    .getWeights()
    .map((weight, i) =>
      tf.tensor(normals(weight.size, built.weights[i].originalName.length + 7 * i, 0.4), weight.shape),
    );
  const named = new Map(built.weights.map(({ originalName }, i) => [originalName, weights[i]]));
  for (const layer of built.layers)
    layer.setWeights(
      layer.weights.map(({ originalName, shape }) => named.get(originalName) ?? tf.zeros(shape as number[])),
    );
  tf.dispose(weights);
  return built;
}

const squaredError = (y: tf.Tensor, prediction: tf.Tensor): tf.Tensor => tf.mean(tf.squaredDifference(y, prediction));
const zero = (_: tf.Tensor, prediction: tf.Tensor): tf.Tensor => tf.mul(0, tf.sum(prediction));

async function alone(single: tfl.LayersModel): Promise<number> {
  const method = ilrec();
  single.compile({ optimizer: tf.train.sgd(0), loss: method.loss });
  method.attach(single);
  return (await single.trainOnBatch(inputIds(), targets())) as number;
}

/** The model's logits output by itself. */
const onlyLogits = (whole: tfl.LayersModel): tfl.LayersModel =>
  tfl.model({ inputs: whole.inputs, outputs: whole.outputs[whole.outputNames.indexOf('logits')] });

describe('ilrec on a model with several outputs', () => {
  forEachBackend(() => {
    it('trains the output that its loss is compiled for, and leaves the others their losses', async () => {
      const whole = model('value and logits');
      const expected = await alone(onlyLogits(whole));
      const [valueOut] = tf.tidy(() => (whole.predict(inputIds()) as tf.Tensor[]).map((output) => output.dataSync()));
      const squared = [...valueOut].reduce((sum, value, at) => sum + (value - values[at]) ** 2, 0) / (B * T);
      const method = ilrec();
      whole.compile({
        optimizer: tf.train.sgd(0.05),
        loss: { value: squaredError, logits: method.loss },
        metrics: { logits: method.metrics as never },
      });
      method.attach(whole);
      const evaluated = (whole.evaluate(inputIds(), [wanted(), targets()]) as tf.Scalar[]).map(
        (scalar) => scalar.dataSync()[0],
      );
      // tfjs evaluates one value more than it names
      const named = Object.fromEntries(whole.metricsNames.map((name, i) => [name, evaluated[i + 1]]));
      expect(evaluated[1]).to.be.closeTo(squared + expected, 1e-4);
      expect(named.value_loss).to.be.closeTo(squared, 1e-4);
      expect(named.logits_loss).to.be.closeTo(expected, 1e-5);
      expect(named.logits_crossEntropy).to.be.above(0);

      const trained = (await whole.trainOnBatch(inputIds(), [wanted(), targets()])) as number[];
      expect(trained[0]).to.be.closeTo(squared + expected, 1e-4);
      expect(trained[1]).to.be.closeTo(squared, 1e-4);
      expect(trained[2]).to.be.closeTo(expected, 1e-5);
      expect(trained.length).to.equal(3 + METRIC_NAMES.length);
      expect(((await whole.trainOnBatch(inputIds(), [wanted(), targets()])) as number[])[0]).to.be.below(trained[0]);
      method.detach();
      expect(() => whole.evaluate(inputIds(), [wanted(), targets()])).to.throw(
        /Error when checking target: expected logits to have 3 dimension/,
      );
    });

    it('works with fitDataset, whose targets are named, and validation data', async () => {
      const whole = model('value and logits');
      const expected = await alone(onlyLogits(whole));
      const method = ilrec();
      whole.compile({
        optimizer: tf.train.sgd(0),
        loss: { value: squaredError, logits: method.loss },
        metrics: { logits: method.metrics as never },
      });
      const data = () => datasetOf(() => [{ xs: inputIds(), ys: { value: wanted(), logits: targets() } }]);
      const { history } = await whole.fitDataset(data(), {
        epochs: 1,
        verbose: 0,
        callbacks: [method.callback],
        validationData: data(),
      });
      expect(history.logits_loss[0]).to.be.closeTo(expected, 1e-5);
      expect(history.val_loss.length).to.equal(1);
    });

    it('finds the logits by their width before the model is compiled', () => {
      const whole = model('value and logits');
      const method = ilrec();
      method.attach(whole);
      tf.tidy(() => {
        const [, predictions] = whole.apply(inputIds(), { training: true }) as tf.Tensor[];
        expect(method.loss(targets(), predictions).dataSync()[0]).to.be.above(0);
      });
      method.detach();
    });

    it('makes the logits where another output is made of them', async () => {
      const whole = model('logits and their probabilities');
      const expected = await alone(onlyLogits(whole));
      const method = ilrec();
      const seen: number[][] = [];
      const watched = (_: tf.Tensor, probabilities: tf.Tensor): tf.Tensor => {
        seen.push([...tf.sum(probabilities, -1).dataSync()]);
        return zero(_, probabilities);
      };
      whole.compile({ optimizer: tf.train.sgd(0), loss: [method.loss, watched] });
      method.attach(whole);
      const [total] = (await whole.trainOnBatch(inputIds(), [targets(), tf.zeros([B, T, V])])) as number[];
      expect(total).to.be.closeTo(expected, 1e-5);
      expect(maxDifference(seen[0], new Float32Array(B * T).fill(1))).to.be.below(1e-5);
      method.detach();
    });

    it('takes one method for each of two heads', async () => {
      const whole = model('two heads');
      const [first, second] = [ilrec(), ilrec({ distillationWeight: 1 })];
      whole.compile({ optimizer: tf.train.sgd(0), loss: [first.loss, second.loss] });
      const data = datasetOf(() => [{ xs: inputIds(), ys: [targets(), targets()] }]);
      const { history } = await whole.fitDataset(data, {
        epochs: 1,
        verbose: 0,
        callbacks: [first.callback, second.callback],
      });
      expect(history.logits_loss[0]).to.be.closeTo(await alone(onlyLogits(whole)), 1e-5);
      expect(history.other_loss[0]).to.be.above(0);
    });

    it('refuses to be the loss of two outputs, and to choose between outputs that are alike', async () => {
      const whole = model('two heads');
      const method = ilrec();
      whole.compile({ optimizer: tf.train.sgd(0), loss: method.loss });
      expect(() => method.attach(whole)).to.throw(
        'ilrec: the loss must be compiled for one output, got logits, other; compile with loss: { logits: method.loss, other: ... }',
      );
      const fresh = model('two heads');
      expect(() => method.attach(fresh)).to.throw(
        'ilrec: the model has several outputs that may be logits, logits, other; compile it with loss: { logits: method.loss, ... } before the taps are attached',
      );
      ilrec({ taps: { head: 'other' } }).attach(fresh);
    });
  });
});
