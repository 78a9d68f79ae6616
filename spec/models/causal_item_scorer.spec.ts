import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { ItemEmbedding } from '../../src/layers';
import { causalItemScorer, type CausalItemScorerOptions } from '../../src/models/causal_item_scorer';
import { causalLM } from '../../src/models/causal_lm';
import { disposeModel } from '../../src/models/dispose_model';
import { scorePrefixes } from '../../src/models/item_scorer';
import { ilrec } from '../../src/ilrec/ilrec';
import { forEachBackend, forEachDevice } from '../support/backends';
import { itemModel, itemModelReference, NUM_ITEMS as N } from '../support/item_models';
import { integers } from '../support/random';
import { maxDifference, type Rows } from '../support/reference';
import { type Weights, weightsOf } from '../support/reference_decoder';
import { savedArtifacts } from '../support/saved_artifacts';

const histories = [[4, 1], [], [7, 7, 2, 0, 12, 3], [5]];

/** Scores of the newest items of a history, in float64. */
function reference(weights: Weights, history: readonly number[], options: CausalItemScorerOptions = {}): number[] {
  const { maxHistory = Infinity, layerContrast = 0 } = options;
  const newest = maxHistory === Infinity ? history : history.slice(-maxHistory);
  const { hiddenStates, scores, project } = itemModelReference(weights, [N, ...newest]);
  const at = newest.length;
  const numLayers = hiddenStates.length;
  const [last, before] = [numLayers - 1, numLayers - 2].map((layer) => project([hiddenStates[layer][at]])[0]);
  const repeatBias = (weights.get('embed_tokens/repeat_bias') as Rows | undefined)?.[0][0] ?? 0;
  return scores[at].map(
    (score, item) => score + layerContrast * (last[item] - before[item]) + (history.includes(item) ? repeatBias : 0),
  );
}

async function values(scores: tf.Tensor2D): Promise<Float32Array> {
  const data = await scores.data<'float32'>();
  scores.dispose();
  return data;
}

function expectClose(actual: tf.Tensor2D, expected: tf.Tensor2D): void {
  expect(actual.shape).to.deep.equal(expected.shape);
  expect(maxDifference(actual.dataSync(), expected.dataSync())).to.be.below(1e-5);
  tf.dispose([actual, expected]);
}

describe('causalItemScorer', () => {
  forEachDevice(() => {
    for (const useRepeatBias of [false, true]) {
      it(`scores as the model in float64 ${useRepeatBias ? 'with' : 'without'} a repeat bias`, async () => {
        const model = itemModel({ items: { useRepeatBias } });
        const weights = await weightsNow(model);
        for (const options of [{}, { maxHistory: 3 }, { layerContrast: 0.3 }, { maxHistory: 2, layerContrast: -1 }]) {
          const expected = histories.flatMap((history) => reference(weights, history, options));
          const scores = await values(causalItemScorer(model, options).score(histories));
          expect(maxDifference(scores, expected), JSON.stringify(options)).to.be.below(5e-5);
        }
        disposeModel(model);
      });
    }
  });

  forEachBackend(() => {
    it('is what the model predicts after the last item', () => {
      const model = itemModel();
      const { score, name, numItems } = causalItemScorer(model);
      expect([name, numItems, causalItemScorer(model, { name: 'teacher' }).name]).to.deep.equal([
        'causalLM',
        N,
        'teacher',
      ]);
      const predicted = model.predict(tf.tensor2d([N, 5, 2], [1, 3], 'int32')) as tf.Tensor3D;
      expectClose(score([[5, 2]]), tf.reshape(tf.slice(predicted, [0, 2, 0], [1, 1, N]), [1, N]));
      disposeModel(model);
    });

    it('adds the repeat bias to the items of the history, too old ones and repeated ones included', () => {
      const model = itemModel({ items: { useRepeatBias: true } });
      const scorer = causalItemScorer(model, { maxHistory: 3 });
      const history = [9, 1, 2, 3, 4, 4, 5];
      const with_ = scorer.score([history, []]);
      const repeatBias = model.getLayer('embed_tokens').trainableWeights.slice(-1)[0];
      tf.tidy(() => void repeatBias.write(tf.tensor1d([0])));
      const without = scorer.score([history, []]);
      const raised = Array.from({ length: 2 * N }, (_, i) => (i < N && history.includes(i) ? 0.7 : 0));
      expectClose(with_, tf.add(without, tf.tensor2d(raised, [2, N])));
      disposeModel(model);
    });

    it('scores a history the same alone and beside longer ones', () => {
      const model = itemModel();
      const scorer = causalItemScorer(model);
      expectClose(tf.slice(scorer.score([[4], [1, 2, 3, 4], []]), 0, 1), scorer.score([[4]]));
      disposeModel(model);
    });

    it('reads the newest items of a history that is too long', () => {
      const model = itemModel();
      const scorer = causalItemScorer(model, { maxHistory: 5 });
      expectClose(scorer.score([[9, 8, 7, 1, 2, 3, 4, 5]]), causalItemScorer(model).score([[1, 2, 3, 4, 5]]));
      disposeModel(model);
    });

    it('scores all prefixes of histories as the histories cut there', () => {
      const model = itemModel({ items: { useRepeatBias: true } });
      for (const options of [{}, { maxHistory: 5 }, { maxHistory: 3, layerContrast: 0.5 }]) {
        const scorer = causalItemScorer(model, options);
        const long = [integers(8, N, 1), integers(3, N, 2), new Int32Array(0), integers(11, N, 3)];
        const pairs = long
          .flatMap((history, row) => Array.from({ length: history.length + 1 }, (_, length) => [row, length]))
          .reverse();
        const rows = Int32Array.from(pairs, ([row]) => row);
        const lengths = Int32Array.from(pairs, ([, length]) => length);
        expectClose(
          scorePrefixes(scorer, long, rows, lengths),
          scorer.score(pairs.map(([row, length]) => long[row].subarray(0, length))),
        );
      }
      disposeModel(model);
    });

    it('scores no history at all as no row', () => {
      const model = itemModel();
      expect(causalItemScorer(model).score([]).shape).to.deep.equal([0, N]);
      disposeModel(model);
    });

    it('contrasts a model of one block with the embedded items, whatever dropout lies between', () => {
      const model = itemModel({ numHiddenLayers: 1, embeddingDropout: 0.5, hiddenDropout: 0.5 });
      // z' reads the norm of the embedded item alone
      const embedded = (model.getLayer('embed_tokens') as tfl.layers.Layer).apply(
        tf.tensor2d([[N, 4]], [1, 2], 'int32'),
      ) as tf.Tensor3D;
      const normed = model.getLayer('norm').apply(tf.slice(embedded, [0, 1, 0], [1, 1, 8])) as tf.Tensor;
      const before = tf.reshape(model.getLayer('embed_tokens').apply(normed) as tf.Tensor, [1, N]);
      const last = causalItemScorer(model).score([[4]]);
      expectClose(
        causalItemScorer(model, { layerContrast: 2 }).score([[4]]),
        tf.add(last, tf.mul(tf.sub(last, before), 2)),
      );
      disposeModel(model);
    });

    it('scores the same after saving and loading', async () => {
      const model = itemModel({ items: { useRepeatBias: true }, embeddingDropout: 0.2 });
      const loaded = await tfl.loadLayersModel(tf.io.fromMemory(await savedArtifacts(model)));
      for (const options of [{}, { layerContrast: 0.3 }])
        expectClose(
          causalItemScorer(loaded, options).score(histories),
          causalItemScorer(model, options).score(histories),
        );
      disposeModel(model);
      disposeModel(loaded);
    });

    it("reads the model's weights of now, between the steps of a training, and does not disturb it", async () => {
      const steps = async (asks: boolean): Promise<{ losses: unknown[]; scores: Float32Array | null }> => {
        const model = itemModel({ hiddenDropout: 0.1 });
        const scorer = asks ? causalItemScorer(model, { layerContrast: 0.3 }) : null;
        const method = ilrec({ itemSoftmax: {} });
        model.compile({ optimizer: tf.train.sgd(0.1), loss: method.loss, metrics: method.metrics });
        method.attach(model);
        const [xs, ys] = [
          tf.tensor2d([N, 3, 1, N, 2, 2], [2, 3], 'int32'),
          tf.tensor2d([3, 1, 4, 2, 2, 5], [2, 3], 'int32'),
        ];
        const losses: unknown[] = [];
        const before = scorer?.score(histories);
        const counts: number[] = [];
        for (let step = 0; step < 3; step++) {
          losses.push(await model.trainOnBatch(xs, ys));
          scorer?.score(histories).dispose();
          counts.push(tf.memory().numTensors);
        }
        expect(counts).to.deep.equal(new Array(3).fill(counts[0]));
        const scores = scorer === null ? null : scorer.score(histories).dataSync<'float32'>();
        if (scores !== null) {
          expect(maxDifference(scores, (before as tf.Tensor).dataSync())).to.be.above(1e-3);
          method.detach();
          const again = causalItemScorer(model, { layerContrast: 0.3 }).score(histories).dataSync();
          expect([...again]).to.deep.equal([...scores]);
        }
        disposeModel(model);
        return { losses, scores };
      };
      expect((await steps(true)).losses).to.deep.equal((await steps(false)).losses);
    });

    it('leaves the model as it was', async () => {
      const before = tf.memory().numTensors;
      const model = itemModel();
      const state = async (): Promise<unknown> => ({
        topology: JSON.stringify(model.toJSON()),
        artifacts: Buffer.from((await savedArtifacts(model)).weightData as ArrayBuffer).toString('base64'),
        nodes: model.layers.map(({ inboundNodes, outboundNodes }) => [inboundNodes.length, outboundNodes.length]),
        predicted: tf.tidy(() => [...(model.predict(tf.tensor2d([N, 5, 2], [1, 3], 'int32')) as tf.Tensor).dataSync()]),
      });
      const first = await state();
      causalItemScorer(model, { layerContrast: 0.3 }).score(histories).dispose();
      expect(await state()).to.deep.equal(first);
      disposeModel(model);
      expect(tf.memory().numTensors).to.equal(before);
    });

    it('leaves no tensor behind and lets no gradient through', () => {
      const model = itemModel({ items: { useRepeatBias: true } });
      const scorer = causalItemScorer(model, { layerContrast: 0.3 });
      const weight = tf.variable(tf.tensor1d([2]));
      tf.dispose(scorer.score([[1, 2]]));
      const before = tf.memory().numTensors;
      const { value, grads } = tf.variableGrads(() =>
        tf.mul(tf.sum(weight), tf.sum(tf.softmax(scorer.score([[1, 2], [3]])))),
      );
      expect(grads[weight.name].dataSync()[0]).to.be.closeTo(2, 1e-5);
      const others = model.trainableWeights.map((each) => grads[(each.read() as tf.Variable).name] as tf.Tensor | null);
      for (const gradient of others) expect(gradient?.dataSync().every((each) => each === 0) ?? true).to.equal(true);
      tf.dispose([value, grads]);
      expect(tf.memory().numTensors).to.equal(before);
      weight.dispose();
      disposeModel(model);
    });
  });

  it('refuses a model whose tokens are not items, and options out of range', async () => {
    await tf.setBackend('cpu');
    const tokens = causalLM({ vocabSize: 5, hiddenSize: 4, numHiddenLayers: 1, numAttentionHeads: 1 });
    expect(() => causalItemScorer(tokens)).to.throw(
      'causalItemScorer: the model must have an ILRecItemEmbedding layer, got InputLayer, ILRecTokenEmbedding, ' +
        'ILRecDecoderBlock, ILRecRMSNorm; make it with causalLM({ items })',
    );
    const ids = tfl.input({ shape: [null], dtype: 'int32' });
    const embedded = new ItemEmbedding({ name: 'items', numItems: 5, hiddenSize: 4 }).apply(ids) as tfl.SymbolicTensor;
    const headless = tfl.model({ inputs: ids, outputs: embedded });
    expect(() => causalItemScorer(headless)).to.throw(
      'causalItemScorer: the layer "items" must also be the model\'s head, and is called only once; make the model ' +
        'with causalLM({ items })',
    );
    const model = itemModel();
    for (const maxHistory of [0, 1.5, NaN, -3])
      expect(() => causalItemScorer(model, { maxHistory })).to.throw(
        `causalItemScorer: maxHistory must be a positive integer, got ${maxHistory}`,
      );
    for (const layerContrast of [NaN, Infinity])
      expect(() => causalItemScorer(model, { layerContrast })).to.throw(
        `causalItemScorer: layerContrast must be a number, got ${layerContrast}`,
      );
    disposeModel(model);
    disposeModel(tokens);
  });
});

/** `weightsOf`, also where nothing can be read synchronously. */
async function weightsNow(model: tfl.LayersModel): Promise<Weights> {
  await Promise.all(model.getWeights().map((weight) => weight.data()));
  return weightsOf(model);
}
