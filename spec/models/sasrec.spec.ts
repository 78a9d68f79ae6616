import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { sasrec } from '../../src/models/sasrec';
import { sasrecBatch, sasrecRows } from '../../src/models/sasrec_batch';
import { sasrecLoss } from '../../src/models/sasrec_loss';
import { sasrecScorer } from '../../src/models/sasrec_scorer';
import { forEachBackend } from '../support/backends';
import { integers } from '../support/random';

const config = {
  numItems: 11,
  maxHistory: 7,
  hiddenSize: 6,
  numHiddenLayers: 2,
  numAttentionHeads: 2,
  intermediateSize: 5,
  initializerRange: 0.5,
  seed: 3,
};

function expectClose(actual: tf.Tensor, expected: tf.Tensor, tolerance = 1e-5): void {
  expect(actual.shape).to.deep.equal(expected.shape);
  const [a, b] = [actual.dataSync(), expected.dataSync()];
  a.forEach((value, i) => expect(value).to.be.closeTo(b[i], tolerance));
}

async function reloaded(model: tfl.LayersModel): Promise<tfl.LayersModel> {
  let artifacts: tf.io.ModelArtifacts | undefined;
  await model.save(
    tf.io.withSaveHandler(async (saved) => {
      artifacts = saved;
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
    }),
  );
  return tfl.loadLayersModel(tf.io.fromMemory(artifacts as tf.io.ModelArtifacts));
}

type Dataset = Parameters<tfl.LayersModel['fitDataset']>[0];

/** A dataset of one batch, as `fitDataset` wants it. */
function oneBatch(rows: Parameters<typeof sasrecBatch>[0]): Dataset {
  const iterator = (): unknown => {
    let given = false; // fitDataset also asks for an iterator that it never reads
    return {
      next: async () => {
        const done = given;
        given = true;
        return { done, value: done ? null : sasrecBatch(rows) };
      },
    };
  };
  return { iterator: async () => iterator(), size: 1 } as unknown as Dataset;
}

/** Trains on sequences in which item i is followed by i + 1. */
async function trainedOnChains(epochs: number): Promise<{ model: tfl.LayersModel; losses: number[] }> {
  const model = sasrec({ ...config, hiddenSize: 10, hiddenDropout: 0.1, attentionDropout: 0.1, initializerRange: 0.1 });
  model.compile({ optimizer: tf.train.adam(0.02), loss: sasrecLoss(model) });
  const rows = Array.from({ length: 11 }, (_, start) => Array.from({ length: 5 }, (_, i) => (start + i) % 11)).flatMap(
    (items) => sasrecRows(items, 7),
  );
  const { history } = await model.fitDataset(oneBatch(rows), { epochs, verbose: 0 });
  return { model, losses: history.loss as number[] };
}

describe('sasrec', () => {
  forEachBackend(() => {
    it('gives one state per position that no later item changes', () => {
      const model = sasrec(config);
      const [short, long] = [
        [0, 4, 9, 0, 0],
        [0, 4, 9, 2, 7],
      ].map((ids) => model.predict(tf.tensor2d(ids, [1, 5], 'int32')) as tf.Tensor);
      expect(short.shape).to.deep.equal([1, 5, 6]);
      expectClose(tf.slice(short, [0, 0, 0], [1, 3, 6]), tf.slice(long, [0, 0, 0], [1, 3, 6]));
      expect(Math.abs(short.dataSync()[23] - long.dataSync()[23])).to.be.above(1e-3);
      tf.dispose([short, long]);
      model.dispose();
    });

    it('depends on the order of the items', () => {
      const model = sasrec(config);
      const states = tf.unstack(model.predict(tf.tensor2d([0, 4, 9, 2, 0, 9, 4, 2], [2, 4], 'int32')) as tf.Tensor);
      expect(tf.tidy(() => tf.max(tf.abs(tf.sub(states[0], states[1]))).arraySync()) as number).to.be.above(1e-2);
    });

    it('is the same model after saving and loading', async () => {
      const model = sasrec(config);
      const copy = await reloaded(model);
      const ids = tf.tensor2d(integers(21, 12, 5), [3, 7], 'int32');
      expectClose(copy.predict(ids) as tf.Tensor, model.predict(ids) as tf.Tensor, 0);
      expectClose(sasrecScorer(copy).score([[1, 2]]), sasrecScorer(model).score([[1, 2]]), 0);
      expect(copy.toJSON(null, false)).to.deep.equal(model.toJSON(null, false));
    });

    it('refuses more ids than it has positions for', () => {
      expect(() => sasrec(config).predict(tf.zeros([1, 9], 'int32'))).to.throw(
        'ILRecSASRecEmbedding: a row holds the start and at most 7 items, got 9 ids; cut histories to maxHistory',
      );
    });

    it('starts from the same weights for the same seed and others for another', () => {
      const start = (seed: number): ArrayLike<number> =>
        sasrec({ ...config, seed })
          .getWeights()[0]
          .dataSync();
      expect(start(1)).to.deep.equal(start(1));
      expect(start(1)).to.not.deep.equal(start(2));
    });

    it('learns what follows what through compile and fitDataset, the same twice @slow', async () => {
      const { model, losses } = await trainedOnChains(40);
      expect(losses[39]).to.be.below(0.7 * losses[0]);
      const scores = sasrecScorer(model).score([
        [0, 1, 2],
        [6, 7],
      ]);
      expect(tf.tidy(() => tf.argMax(scores, 1).arraySync())).to.deep.equal([3, 8]);
      scores.dispose();
      expect((await trainedOnChains(3)).losses).to.deep.equal(losses.slice(0, 3));
    });

    it('leaves no tensor behind in training', async () => {
      const model = sasrec(config);
      model.compile({ optimizer: tf.train.adam(0.01), loss: sasrecLoss(model) });
      const step = async (): Promise<void> => {
        await model.fitDataset(oneBatch(sasrecRows([1, 2, 3, 4], 7)), { epochs: 1, verbose: 0 });
      };
      await step();
      const before = tf.memory().numTensors;
      await step();
      await step();
      expect(tf.memory().numTensors).to.equal(before);
    });
  });

  it('refuses a size that is not a positive integer', () => {
    expect(() => sasrec({ ...config, numItems: 0 })).to.throw('sasrec: numItems must be a positive integer, got 0');
  });

  it('refuses heads that do not divide the hidden size', () => {
    expect(() => sasrec({ ...config, numAttentionHeads: 4 })).to.throw(
      'sasrec: numAttentionHeads must divide hiddenSize, got 4 and 6',
    );
  });

  it('refuses a dropout of 1', () => {
    expect(() => sasrec({ ...config, hiddenDropout: 1 })).to.throw('sasrec: hiddenDropout must be in [0, 1), got 1');
  });
});
