import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { buildPrefixTrie } from '../../src/generation/prefix_trie';
import { ilrec, type IlrecDiagnostics, type IlrecMethod } from '../../src/ilrec/ilrec';
import type { RewardContext } from '../../src/losses/reward';
import { causalLM } from '../../src/models/causal_lm';
import { validItems } from '../../src/rewards/valid_items';
import { sft } from '../../src/tapped/sft';
import type { TappedMethod } from '../../src/tapped/tapped_method';
import { forEachBackend } from '../support/backends';
import { crossEntropyOf, mean } from '../support/reference';

const trie = buildPrefixTrie([
  [3, 5],
  [3, 6],
  [4, 5],
]);
const V = 7;
/** Two rows of [bos, first token, second token]: items 0 and 2. */
const context: RewardContext = {
  inputIds: Int32Array.of(1, 3, 1, 4),
  labels: Int32Array.of(3, 5, 4, 5),
  batchSize: 2,
  sequenceLength: 2,
  positions: Int32Array.of(0, 1, 2, 3),
  vocabSize: V,
};
/** First tokens 3 and 4; after 3: 5 and 6; after 4: 5. */
const ALLOWED = [[3, 4], [5, 6], [3, 4], [5]];

describe('validItems', () => {
  forEachBackend(() => {
    it('leaves the tokens with which an item can go on, and no others', async () => {
      const added = validItems({ trie })(context);
      const values = await added.data();
      ALLOWED.forEach((allowed, p) =>
        expect([...values.slice(p * V, (p + 1) * V)].flatMap((value, v) => (value === 0 ? [v] : []))).to.deep.equal(
          allowed,
        ),
      );
      added.dispose();
    });

    it('does not restrict a position whose label continues no item', async () => {
      const added = validItems({ trie })({ ...context, labels: Int32Array.of(2, 5, 4, 5) });
      expect([...(await added.data()).slice(0, V)]).to.deep.equal(new Array(V).fill(0));
      added.dispose();
    });

    it('makes sft and ilrec losses over valid tokens, with negatives among them', async () => {
      const model = causalLM({
        vocabSize: V,
        hiddenSize: 8,
        numHiddenLayers: 3,
        numAttentionHeads: 2,
        initializerRange: 0.5,
        seed: 2,
      });
      const xs = tf.tensor2d(context.inputIds, [2, 2], 'int32');
      const ys = tf.tensor2d(context.labels, [2, 2], 'int32');
      const whole = model.predict(xs) as tf.Tensor;
      const logits = await whole.data();
      const expected = mean(
        ALLOWED.map((allowed, p) =>
          crossEntropyOf(
            allowed.map((v) => logits[p * V + v]),
            allowed.indexOf(context.labels[p]),
          ),
        ),
      );
      let diagnosed: IlrecDiagnostics | null = null;
      const lossOf = async (method: TappedMethod): Promise<number> => {
        method.attach(model);
        const loss = tf.tidy(() => method.loss(ys, model.apply(xs, { training: true }) as tf.Tensor));
        const [value] = await loss.data();
        loss.dispose();
        if ('diagnostics' in method) diagnosed = await (method as IlrecMethod).diagnostics();
        method.detach();
        return value;
      };
      const restrictTo = validItems({ trie });
      expect(await lossOf(sft({ restrictTo }))).to.be.closeTo(expected, 1e-4);
      const plain = { penaltyWeight: 0, distillationWeight: 0 };
      expect(await lossOf(ilrec({ ...plain, restrictTo }))).to.be.closeTo(expected, 1e-4);
      const penalised = ilrec({ penaltyWeight: 1, penalty: 'additive', distillationWeight: 0, restrictTo });
      expect(await lossOf(penalised)).to.be.at.least(expected - 1e-4);
      // no position has more than one other valid token
      expect((diagnosed as IlrecDiagnostics | null)?.numNegatives).to.be.at.most(0.75);
      tf.dispose([xs, ys, whole]);
      model.dispose();
    });
  });

  it('is refused beside the options of item tokens', () => {
    const restrictTo = validItems({ trie });
    expect(() => sft({ restrictTo, futureTargets: { weight: 0.5 } })).to.throw(
      'sft: restrictTo is for models that write an item in several tokens, got it beside itemSoftmax or futureTargets without a trie; leave it out',
    );
    expect(() => ilrec({ restrictTo, itemSoftmax: { seen: 'exclude' } })).to.throw(/^ilrec: restrictTo is for models/);
  });

  it('refuses tokens that the model does not have', () => {
    expect(() => validItems({ trie })({ ...context, vocabSize: 6 })).to.throw(
      "validItems: the trie's tokens must be below the vocabulary size 6, got 6; build trie and model from the same tokenizer",
    );
  });
});
