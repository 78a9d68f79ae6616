import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { ilrec } from '../../src/ilrec/ilrec';
import { ItemEmbedding } from '../../src/layers/item_embedding';
import { TokenEmbedding } from '../../src/layers/token_embedding';
import { causalLM } from '../../src/models/causal_lm';
import { createCausalDecoder } from '../../src/models/causal_lm_decoder';
import { sasrec } from '../../src/models/sasrec';
import { checkTokenIds } from '../../src/ops/token_ids';
import { forEachBackend, forEachDevice } from '../support/backends';
import { datasetOf } from '../support/datasets';
import { dense, recurrent } from '../support/foreign_models';

const V = 7;
const lm = (): tfl.LayersModel => causalLM({ vocabSize: V, hiddenSize: 4, numHiddenLayers: 2, numAttentionHeads: 1 });
/** Two rows of three ids, one of them given. */
const idsWith = (id: number): tf.Tensor2D =>
  tf.tensor2d([1, 2, 3, 0, id, 6], [2, 3], Number.isInteger(id) ? 'int32' : 'float32');
const rule = (got: string, numRows = V): string =>
  `token ids must be whole numbers from 0 to ${numRows - 1}, below the ${numRows} of the vocabulary, got ${got} at row 1, position 1; use the ids of the model's own tokenizer or catalogue`;
const failure = async (run: () => unknown): Promise<string> => {
  try {
    await run();
    return 'no error';
  } catch (error) {
    return (error as Error).message;
  }
};

describe('token ids', () => {
  forEachDevice(() => {
    it('are in the vocabulary, or refused with their place', () => {
      for (const id of [0, 1, V - 1]) expect(() => checkTokenIds(idsWith(id), V)).to.not.throw();
      for (const id of [V, -1, -100, NaN, 2.5]) expect(() => checkTokenIds(idsWith(id), V)).to.throw(rule(String(id)));
      expect(() => checkTokenIds(tf.tensor1d([1, V], 'int32'), V)).to.throw(/got 7 at position 1;/);
    });

    it('are checked by the embeddings of this package, also under a decoder', async () => {
      const model = lm();
      const own = `ILRecTokenEmbedding: ${rule('7')}`;
      expect(await failure(() => model.apply(idsWith(V)))).to.equal(own);
      expect(await failure(() => new TokenEmbedding({ vocabSize: V, hiddenSize: 4 }).apply(idsWith(V)))).to.equal(own);
      const items = new ItemEmbedding({ numItems: V - 1, hiddenSize: 4 });
      expect(await failure(() => items.apply(idsWith(V - 1)))).to.equal('no error'); // the start of a history
      expect(await failure(() => items.apply(idsWith(V)))).to.equal(`ILRecItemEmbedding: ${rule('7')}`);
      const histories = sasrec({ numItems: V - 1, hiddenSize: 4, maxHistory: 4 });
      expect(await failure(() => histories.apply(idsWith(V)))).to.equal(`ILRecSASRecEmbedding: ${rule('7')}`);
      const decoder = createCausalDecoder(model);
      expect(
        await failure(() =>
          decoder.prefill(
            [
              [1, 2, 3],
              [0, V, 6],
            ],
            1,
          ),
        ),
      ).to.equal(own);
      const state = decoder.prefill([[1, 2]], 1);
      expect(await failure(() => decoder.step(state, Int32Array.of(V), Int32Array.of(0)))).to.match(
        /^ILRecTokenEmbedding: .* got 7 at row 0, position 0;/,
      );
      decoder.dispose(state);
    });

    it('are checked in training, of tapped models of stock layers too', async () => {
      const stock = tfl.sequential({
        layers: [
          tfl.layers.embedding({ inputDim: V, outputDim: 4, inputShape: [3] }),
          recurrent('gru', 'a', 4),
          recurrent('gru', 'b', 4),
          dense('out', V),
        ],
      });
      for (const [model, name] of [
        [lm(), 'ILRecTokenEmbedding'],
        [stock, 'ilrec'],
      ] as const) {
        const method = ilrec();
        model.compile({ optimizer: 'sgd', loss: method.loss });
        const fit = (id: number): Promise<unknown> =>
          model.fitDataset(
            datasetOf(() => [{ xs: idsWith(id), ys: tf.zeros([2, 3], 'int32') }]),
            {
              epochs: 1,
              verbose: 0,
              callbacks: [method.callback],
            },
          );
        expect(await failure(() => fit(6))).to.equal('no error');
        for (const id of [V, -1]) expect(await failure(() => fit(id))).to.equal(`${name}: ${rule(String(id))}`);
        method.detach();
      }
    });
  });

  forEachBackend(() => {
    it('are checked by predict and evaluate', async () => {
      const model = lm();
      const method = ilrec();
      model.compile({ optimizer: 'sgd', loss: method.loss });
      expect(await failure(() => model.predict(idsWith(V)))).to.equal(`ILRecTokenEmbedding: ${rule('7')}`);
      method.attach(model);
      expect(await failure(() => model.evaluate(idsWith(V), tf.zeros([2, 3], 'int32')))).to.equal(
        `ILRecTokenEmbedding: ${rule('7')}`,
      );
      method.detach();
    });
  });
});
