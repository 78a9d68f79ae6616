import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect } from 'chai';
import { ilrec, type IlrecMethod } from '../../src/ilrec/ilrec';
import { sft, type SftOptions } from '../../src/tapped/sft';
import type { TappedMethod } from '../../src/tapped/tapped_method';
import { causalLM } from '../../src/models/causal_lm';
import { isStreamed } from '../../src/vocabulary/vocabulary_tiles';
import { forEachBackend, onWebGpu } from '../support/backends';
import { datasetOf } from '../support/datasets';
import { dense, recurrent, stack } from '../support/foreign_models';
import { integers } from '../support/random';
import { crossEntropyOf, maxDifference, mean } from '../support/reference';
import { referenceDecoder, weightsOf } from '../support/reference_decoder';

interface Case {
  readonly [size: string]: number;
}
const small: Case = { B: 3, T: 5, V: 13 };
const large: Case = { B: 5, T: 53, V: 20_011 }; // 265 rows of logits are more than 2^22 numbers
const ids = ({ B, T, V }: Case): Int32Array => integers(B * T, V, 1);
const labelsOf = ({ B, T, V }: Case): Int32Array =>
  integers(B * T, V, 2).map((label, i) => (i % T < 2 && V === small.V ? -100 : label));
const inputs = (of: Case): { xs: tf.Tensor2D; ys: tf.Tensor2D } => ({
  xs: tf.tensor2d(ids(of), [of.B, of.T], 'int32'),
  ys: tf.tensor2d(labelsOf(of), [of.B, of.T], 'int32'),
});
const model = ({ V }: Case, numHiddenLayers = 3): tfl.LayersModel =>
  causalLM({
    vocabSize: V,
    hiddenSize: 8,
    intermediateSize: 7,
    numHiddenLayers,
    numAttentionHeads: 2,
    initializerRange: 0.4,
    seed: 3,
  });
const withoutTerms = (): IlrecMethod => ilrec({ penaltyWeight: 0, distillationWeight: 0 });

/** Loss and gradients of one training pass. */
async function step(method: TappedMethod, of: Case): Promise<{ loss: number; gradients: Float32Array[] }> {
  const own = model(of);
  method.attach(own);
  const { xs, ys } = inputs(of);
  const variables = own.trainableWeights.map((weight) => weight.read() as tf.Variable);
  const { value, grads } = tf.variableGrads(
    () => method.loss(ys, own.apply(xs, { training: true }) as tf.Tensor),
    variables,
  );
  const result = {
    loss: (await value.data())[0],
    gradients: await Promise.all(variables.map(({ name }) => grads[name].data<'float32'>())),
  };
  tf.dispose([xs, ys, value, grads]);
  method.detach();
  own.dispose();
  return result;
}

const rowsOf = ({ B, T }: Case): number => B * T;

describe('sft', () => {
  forEachBackend((backend) => {
    it('is the mean cross-entropy of the response positions of the float64 model', async () => {
      const { T } = small;
      const own = model(small);
      const weights = weightsOf(own);
      own.dispose();
      const sizes = {
        numHiddenLayers: 3,
        numAttentionHeads: 2,
        numKeyValueHeads: 2,
        ropeTheta: 10000,
        rmsNormEps: 1e-6,
      };
      const logits = Array.from({ length: small.B }, (_, b) =>
        referenceDecoder(weights, sizes, [...ids(small).slice(b * T, (b + 1) * T)]),
      ).flatMap((row) => row.logits);
      const each = [...labelsOf(small)].flatMap((label, i) =>
        label === -100 ? [] : [crossEntropyOf(logits[i], label)],
      );
      const method = sft();
      expect((await step(method, small)).loss).to.be.closeTo(mean(each), 1e-5);
      expect([method.step, method.numResponsePositions]).to.deep.equal([1, each.length]);
    });

    it('is ilrec with alpha = lambda = mu = 0, bit for bit in loss and gradients', async () => {
      expect(await step(sft(), small)).to.deep.equal(await step(withoutTerms(), small));
    });

    if (backend !== 'cpu') {
      it('is that up to rounding where the head is read tile by tile', async () => {
        expect(isStreamed(large.V, rowsOf(large))).to.equal(true);
        const [own, other] = [await step(sft(), large), await step(withoutTerms(), large)];
        expect(own.loss).to.be.closeTo(other.loss, 1e-5);
        own.gradients.forEach((gradient, i) => expect(maxDifference(gradient, other.gradients[i])).to.be.below(1e-6));
      });
    }

    it('taps what the head reads and nothing else, and never makes logits of all positions', async () => {
      const own = model(small);
      const method = sft();
      own.compile({ optimizer: tf.train.adam(0.01), loss: method.loss, metrics: method.metrics });
      method.attach(own);
      expect(own.layers.filter((layer) => Object.hasOwn(layer, 'call')).map(({ name }) => name)).to.deep.equal([
        'embed_tokens', // the tied head
      ]);
      method.detach();
      const head = own.layers.find(({ name }) => name === 'embed_tokens') as tfl.layers.Layer;
      const { call } = head;
      const shapes: string[] = [];
      Object.assign(head, {
        call(...args: Parameters<typeof call>) {
          const made = call.apply(head, args) as tf.Tensor;
          shapes.push(made.shape.join());
          return made;
        },
      });
      method.attach(own);
      const batches = datasetOf(() => [inputs(small)]);
      const { xs, ys } = inputs(small);
      const { B, T, V } = small;
      method.lossOf(xs, ys).dispose();
      await own.trainOnBatch(xs, ys);
      expect(shapes).to.include(`${B},${T},8`); // embedded tokens
      expect(shapes).to.not.include(`${B},${T},${V}`);
      method.detach();
      Reflect.deleteProperty(head, 'call');
      const { history } = await own.fitDataset(batches, { epochs: 3, verbose: 0, callbacks: [method.callback] });
      expect(Object.keys(history)).to.deep.equal(['loss', 'crossEntropy']);
      expect(history.crossEntropy).to.deep.equal(history.loss);
      expect(history.loss[2]).to.be.below(history.loss[0] as number);
      expect(own.layers.some((layer) => Object.hasOwn(layer, 'call'))).to.equal(false);
      tf.dispose([xs, ys]);
      own.dispose();
    });

    it('trains models of one block, which have no layer before the last', async () => {
      for (const own of [model(small, 1), stack(recurrent('lstm', 'only'), dense())]) {
        const method = sft();
        own.compile({ optimizer: tf.train.adam(0.01), loss: method.loss });
        const { history } = await own.fitDataset(
          datasetOf(() => [inputs(small)]),
          { epochs: 3, verbose: 0, callbacks: [method.callback] },
        );
        expect(history.loss[2]).to.be.below(history.loss[0] as number);
        own.dispose();
      }
    });

    it('leaves no tensor behind', async () => {
      const own = model(small);
      const method = sft();
      own.compile({ optimizer: tf.train.sgd(0.1), loss: method.loss, metrics: method.metrics });
      const { xs, ys } = inputs(small);
      const numTensors = tf.memory().numTensors;
      method.attach(own);
      for (let i = 0; i < 3; i++) await own.trainOnBatch(xs, ys);
      tf.dispose(own.evaluate(xs, ys));
      method.detach();
      expect(tf.memory().numTensors).to.equal(numTensors);
      tf.dispose([xs, ys]);
      own.dispose();
    });

    it('says its own name in errors', async () => {
      const own = model(small);
      const method = sft();
      own.compile({ optimizer: tf.train.sgd(0.1), loss: method.loss });
      const { xs, ys } = inputs(small);
      const message = (promise: Promise<unknown>): Promise<string> =>
        promise.then(String, (error: Error) => error.message);
      expect(
        await message(
          own.fitDataset(
            datasetOf(() => [inputs(small)]),
            { epochs: 1, verbose: 0 },
          ),
        ),
      ).to.equal(
        'sft: the loss found no tapped forward pass; add `callbacks: [method.callback]` to fit or fitDataset, or call method.attach(model) after compile',
      );
      method.attach(own);
      expect(await message(own.trainOnBatch(xs, tf.fill([small.B, small.T], small.V, 'int32')))).to.equal(
        "sft: labels must be tokens below the 13 of the model's vocabulary, or -100, got 13",
      );
      expect(await message(own.fit(xs, ys, { classWeight: { 0: 1 }, verbose: 0 }))).to.match(
        /^sft: fit must not get classWeight/,
      );
      method.detach();
      expect(() => sft({ numLayers: 2 } as SftOptions)).to.throw(
        'sft: options must be among restrictTo, temperature, itemSoftmax, futureTargets, ignoreIndex, taps, got numLayers',
      );
      expect(() => sft().attach({} as tfl.LayersModel)).to.throw(/^sft: the model must be a tf\.LayersModel/);
    });
  });

  onWebGpu(() => {
    it('is ilrec with alpha = lambda = mu = 0, bit for bit in loss', async () => {
      for (const of of [small, large])
        expect((await step(sft(), of)).loss).to.equal((await step(withoutTerms(), of)).loss);
    });
  });
});
