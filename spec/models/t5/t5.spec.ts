import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect } from 'chai';
import { setDropoutStep } from '../../../src/layers';
import { disposeModel } from '../../../src/models/dispose_model';
import { t5, type T5Config } from '../../../src/models/t5/t5';
import { forEachBackend } from '../../support/backends';
import { integers } from '../../support/random';
import { maxDifference } from '../../support/reference';
import { savedArtifacts } from '../../support/saved_artifacts';

const VOCAB = 23;
const config: T5Config = {
  vocabSize: VOCAB,
  hiddenSize: 14,
  headDim: 5,
  intermediateSize: 17,
  numHiddenLayers: 2,
  numDecoderLayers: 3,
  numAttentionHeads: 3,
  seed: 7,
};
const [B, S, T] = [2, 11, 5];
/** Tokens from 1 on: 0 is padding. */
const tokens = (rows: number, length: number, seed: number): tf.Tensor2D =>
  tf.tensor2d(
    integers(rows * length, VOCAB - 1, seed).map((id) => id + 1),
    [rows, length],
    'int32',
  );

/** Another last token in each row. */
function withOtherEnd(ids: tf.Tensor2D): tf.Tensor2D {
  const rows = ids.arraySync().map((row) => [...row.slice(0, -1), 1 + (row[row.length - 1] % (VOCAB - 1))]);
  return tf.tensor2d(rows, undefined, 'int32');
}

function logitsOf(model: tfl.LayersModel, read: tf.Tensor, written: tf.Tensor): Float32Array {
  return (model.predict([read, written]) as tf.Tensor).dataSync<'float32'>();
}

describe('t5', () => {
  forEachBackend(() => {
    let numTensors: number;
    let model: tfl.LayersModel;
    beforeEach(() => {
      numTensors = tf.memory().numTensors;
      model = t5(config);
    });

    it('gives logits for every token of the decoder', () => {
      tf.tidy(() => {
        const logits = model.predict([tokens(B, S, 1), tokens(B, T, 2)]) as tf.Tensor;
        expect(logits.shape).to.deep.equal([B, T, VOCAB]);
      });
    });

    it('reads the prompt in order and in both directions, and what is written only backwards', () => {
      tf.tidy(() => {
        const [read, written] = [tokens(1, S, 1), tokens(1, T, 2)];
        const logits = logitsOf(model, read, written);
        const first = (values: Float32Array): Float32Array => values.subarray(0, VOCAB);
        const reversed = logitsOf(model, tf.reverse(read, 1), written);
        expect(maxDifference(first(reversed), first(logits)), 'the order counts').to.be.above(1e-2);
        const otherRead = withOtherEnd(read);
        expect(maxDifference(first(logitsOf(model, otherRead, written)), first(logits)), 'the end').to.be.above(1e-3);
        const changed = logitsOf(model, read, withOtherEnd(written));
        const before = (T - 1) * VOCAB;
        expect(maxDifference(changed.subarray(0, before), logits.subarray(0, before))).to.be.below(1e-6);
        expect(maxDifference(changed, logits)).to.be.above(1e-2);
      });
    });

    it('does not see the padding of a prompt', () => {
      tf.tidy(() => {
        const [read, written] = [tokens(1, S, 1), tokens(1, T, 2)];
        const padded = tf.pad(read, [
          [0, 0],
          [0, 4],
        ]);
        expect(maxDifference(logitsOf(model, padded, written), logitsOf(model, read, written))).to.be.below(1e-5);
        const filled = tf.concat([read, tf.fill([1, 4], 3, 'int32')], 1);
        expect(maxDifference(logitsOf(model, filled, written), logitsOf(model, read, written))).to.be.above(1e-2);
      });
    });

    it('is the same model after saving and loading, and drops the same values', async () => {
      const copy = await tfl.loadLayersModel(tf.io.fromMemory(await savedArtifacts(model)));
      tf.tidy(() => {
        const inputs = [tokens(B, S, 1), tokens(B, T, 2)] as const;
        expect([...logitsOf(copy, ...inputs)]).to.deep.equal([...logitsOf(model, ...inputs)]);
        const trained = (of: tfl.LayersModel): Float32Array =>
          (of.apply([...inputs], { training: true }) as tf.Tensor).dataSync<'float32'>();
        const first = trained(model);
        expect(maxDifference(first, logitsOf(model, ...inputs))).to.be.above(0.1);
        expect(maxDifference(trained(model), first)).to.be.above(0.1);
        setDropoutStep(model, 0);
        expect([...trained(model)]).to.deep.equal([...first]);
        expect([...trained(copy)]).to.deep.equal([...first]);
      });
      expect(copy.toJSON(null, false)).to.deep.equal(model.toJSON(null, false));
      disposeModel(copy);
    });

    it('scales the logits of a tied head by 1 / sqrt(D), and not those of a head of its own', () => {
      const unscaled = t5({ ...config, scaleLogits: false });
      const untied = t5({ ...config, tieWordEmbeddings: false });
      const scaled = t5({ ...config, tieWordEmbeddings: false, scaleLogits: true });
      tf.tidy(() => {
        const logits = (of: tfl.LayersModel): Float32Array => logitsOf(of, tokens(B, S, 1), tokens(B, T, 2));
        const rescaled = (of: tfl.LayersModel): Float32Array => logits(of).map((value) => value / Math.sqrt(14));
        expect(maxDifference(logits(model), rescaled(unscaled))).to.be.below(1e-5);
        expect(maxDifference(logits(scaled), rescaled(untied))).to.be.below(1e-5);
      });
      for (const one of [unscaled, untied, scaled]) disposeModel(one);
    });

    afterEach(() => {
      disposeModel(model); // no case leaves a tensor behind
      expect(tf.memory().numTensors).to.equal(numTensors);
    });
  });

  describe('on any backend', () => {
    before(() => tf.setBackend('cpu'));

    it('starts from the same weights for the same seed, and from others for another', () => {
      const start = (seed?: number): number[] => {
        const model = t5({ ...config, seed });
        const values = model.getWeights().flatMap((weight) => [...weight.dataSync()]);
        disposeModel(model);
        return values;
      };
      expect(start()).to.deep.equal(start(0));
      expect(start()).to.not.deep.equal(start(1));
    });

    it('refuses a config that no T5 can have', () => {
      const refused: [object, string][] = [
        [{ vocabSize: 0 }, 'vocabSize must be a positive integer, got 0'],
        [{ headDim: 2.5 }, 'headDim must be a positive integer, got 2.5'],
        [{ numDecoderLayers: 0 }, 'numDecoderLayers must be a positive integer, got 0'],
        [{ dropout: 1 }, 'dropout must be in [0, 1), got 1'],
        [
          { relativeAttentionNumBuckets: 7 },
          'relativeAttentionNumBuckets must be an even integer of at least 4, got 7',
        ],
        [
          { relativeAttentionMaxDistance: 16 },
          'relativeAttentionMaxDistance must be an integer above 16, half of the buckets, got 16',
        ],
      ];
      for (const [change, message] of refused)
        expect(() => t5({ ...config, ...change })).to.throw(
          new RegExp(`^t5: ${message.replace(/[[\]().]/g, '\\$&')}$`),
        );
      expect(() => t5({ ...config, ropeTheta: 3 } as T5Config)).to.throw(
        /^t5: fields must be among .*, got ropeTheta$/,
      );
      expect(() => t5(null as unknown as T5Config)).to.throw('t5: config must be an object with vocabSize, got null');
    });
  });
});
