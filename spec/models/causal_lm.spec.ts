import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { causalLM, type CausalLMConfig } from '../../src/models/causal_lm';
import { forEachBackend } from '../support/backends';
import { integers } from '../support/random';
import { maxDifference } from '../support/reference';
import { referenceDecoder, weightsOf } from '../support/reference_decoder';

const V = 31;
const config: CausalLMConfig = {
  vocabSize: V,
  hiddenSize: 24,
  intermediateSize: 23,
  numHiddenLayers: 3,
  numAttentionHeads: 6,
  numKeyValueHeads: 2,
  ropeTheta: 500,
  rmsNormEps: 1e-5,
  initializerRange: 0.3,
  seed: 5,
};
const sizes = { numHiddenLayers: 3, numAttentionHeads: 6, numKeyValueHeads: 2, ropeTheta: 500, rmsNormEps: 1e-5 };

function logitsOf(model: tfl.LayersModel, ids: ArrayLike<number>, shape: [number, number]): Float32Array {
  return tf.tidy(() =>
    (model.predict(tf.tensor2d(Int32Array.from(ids), shape, 'int32')) as tf.Tensor).dataSync<'float32'>(),
  );
}

describe('causalLM', () => {
  forEachBackend(() => {
    for (const tieWordEmbeddings of [true, false]) {
      it(`equals the float64 decoder (tied: ${tieWordEmbeddings})`, () => {
        const model = causalLM({ ...config, tieWordEmbeddings });
        const ids = integers(2 * 11, V, 1);
        const expected = [ids.slice(0, 11), ids.slice(11)].flatMap((row) =>
          referenceDecoder(weightsOf(model), sizes, [...row]).logits.flat(),
        );
        expect(maxDifference(logitsOf(model, ids, [2, 11]), expected)).to.be.below(
          2e-5 * Math.max(...expected.map(Math.abs)),
        );
        model.dispose();
      });

      it(`is saved, loaded and trained like a stock model (tied: ${tieWordEmbeddings})`, async () => {
        const model = causalLM({ ...config, tieWordEmbeddings, embeddingDropout: 0.1 });
        let artifacts: tf.io.ModelArtifacts | undefined;
        await model.save(
          tf.io.withSaveHandler(async (saved) => {
            artifacts = saved;
            return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
          }),
        );
        const loaded = await tfl.loadLayersModel(tf.io.fromMemory(artifacts as tf.io.ModelArtifacts));
        const ids = integers(11, V, 1);
        expect([...logitsOf(loaded, ids, [1, 11])]).to.deep.equal([...logitsOf(model, ids, [1, 11])]);
        expect(loaded.countParams()).to.equal(model.countParams());
        model.dispose();
        loaded.dispose();
      });
    }

    it('does not look ahead', () => {
      const model = causalLM(config);
      const ids = integers(11, V, 1);
      const other = Int32Array.from(ids, (id, at) => (at < 6 ? id : (id + 1) % V));
      const [a, b] = [ids, other].map((row) => logitsOf(model, row, [1, 11]));
      expect(maxDifference(a.slice(0, 6 * V), b.slice(0, 6 * V))).to.equal(0);
      expect(maxDifference(a.slice(6 * V), b.slice(6 * V))).to.be.above(0.1);
      model.dispose();
    });

    it('gives a left-padded sequence the logits of the bare one', () => {
      const model = causalLM({ ...config, padTokenId: 0 });
      const ids = integers(7, V - 1, 2).map((id) => id + 1);
      const padded = logitsOf(model, [0, 0, 0, ...ids], [1, 10]);
      expect(maxDifference(padded.slice(3 * V), logitsOf(model, ids, [1, 7]))).to.be.below(1e-4);
      model.dispose();
    });

    it('starts from the same weights for the same seed, and from others for another', () => {
      const [a, b, c] = [5, 5, 6].map((seed) => causalLM({ ...config, seed }));
      const ids = integers(7, V, 2);
      expect([...logitsOf(a, ids, [1, 7])]).to.deep.equal([...logitsOf(b, ids, [1, 7])]);
      expect(maxDifference(logitsOf(a, ids, [1, 7]), logitsOf(c, ids, [1, 7]))).to.be.above(0.1);
      for (const model of [a, b, c]) model.dispose();
    });

    it('summarises its layers', () => {
      const lines: string[] = [];
      const model = causalLM(config);
      model.summary(undefined, undefined, (line: string) => lines.push(line));
      expect(lines.join('\n'))
        .to.match(/embed_tokens \(ILRecTokenEm/)
        .and.to.match(/layers_2 \(ILRecDecoderBloc/);
      model.dispose();
    });

    it('leaves no tensor behind in predict', () => {
      const model = causalLM(config);
      const before = tf.memory().numTensors;
      logitsOf(model, integers(7, V, 2), [1, 7]);
      expect(tf.memory().numTensors).to.equal(before);
      model.dispose();
    });

    it('refuses sizes that cannot be', () => {
      expect(() => causalLM(undefined as never)).to.throw(
        'causalLM: config must be an object with vocabSize, got undefined',
      );
      expect(() => causalLM({ vocabSize: 5, headDim: 3 })).to.throw(
        'causalLM: headDim must be a positive even integer, got 3',
      );
      expect(() => causalLM({ vocabSize: 5, hiddenDropout: 1 })).to.throw(
        'causalLM: hiddenDropout must be in [0, 1), got 1',
      );
      expect(() => causalLM({ vocabSize: 0 })).to.throw('causalLM: vocabSize must be a positive integer, got 0');
      expect(() => causalLM({ vocabSize: 5, numAttentionHeads: 4, numKeyValueHeads: 3 })).to.throw(
        'causalLM: numKeyValueHeads must divide numAttentionHeads, got 3 and 4',
      );
      expect(() => causalLM({ vocabSize: 5, items: {}, tieWordEmbeddings: false })).to.throw(
        'causalLM: tieWordEmbeddings must be true with items, got false; leave it out',
      );
      expect(() => causalLM({ vocabSize: 5, items: {}, padTokenId: 5 })).to.throw(
        'causalLM: items need no padTokenId, got 5; leave it out',
      );
      expect(() => causalLM({ vocabSize: 5, hiddensize: 20 } as CausalLMConfig)).to.throw(
        /^causalLM: fields must be among vocabSize, hiddenSize, .*, seed, got hiddensize$/,
      );
      expect(() => causalLM({ vocabSize: 5, hiddenSize: 20, numAttentionHeads: 4 })).to.throw(
        'causalLM: hiddenSize / numAttentionHeads must be even, got 20 / 4; set headDim or change one of them',
      );
    });
  });
});
