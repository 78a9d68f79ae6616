import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { ilrec, type IlrecOptions } from '../../src/ilrec/ilrec';
import { sft } from '../../src/tapped/sft';
import { forEachBackend } from '../support/backends';
import { ForeignTiedHead, through } from '../support/foreign_layers';
import {
  attention,
  chain,
  dense,
  embedding,
  functional,
  norm,
  recurrent,
  SIZES,
  stack,
} from '../support/foreign_models';

const { vocabSize: V, hiddenSize: D, length: T } = SIZES;
const { layers } = tfl;

/** A custom head that hides its softmax from everyone. */
class SecretSoftmax extends tfl.layers.Layer {
  static readonly className = 'SecretSoftmax';
  private kernel!: tfl.LayerVariable;

  override build(inputShape: tfl.Shape): void {
    this.kernel = this.addWeight('kernel', [inputShape[2], V], 'float32', tfl.initializers.glorotUniform({ seed: 1 }));
    this.built = true;
  }

  override computeOutputShape(inputShape: tfl.Shape): tfl.Shape {
    return [...inputShape.slice(0, -1), V];
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const x = Array.isArray(inputs) ? inputs[0] : inputs;
    return tf.tidy(() =>
      tf.softmax(
        tf.reshape(tf.matMul(tf.reshape(x, [-1, x.shape[2] as number]), this.kernel.read() as tf.Tensor2D), [
          ...x.shape.slice(0, 2),
          V,
        ]),
      ),
    );
  }
}
tf.serialization.registerClass(SecretSoftmax);

/** Each position gets the mean of those up to it: no norm, though it stands where one would. */
class RunningMean extends tfl.layers.Layer {
  static readonly className = 'RunningMean';

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const x = Array.isArray(inputs) ? inputs[0] : inputs;
    return tf.tidy(() => {
      const weights = tf.linalg.bandPart(tf.ones([x.shape[1] as number, x.shape[1] as number]), -1, 0) as tf.Tensor2D;
      return tf.matMul(tf.tile(tf.expandDims(tf.div(weights, tf.sum(weights, 1, true)), 0), [x.shape[0], 1, 1]), x);
    });
  }
}
tf.serialization.registerClass(RunningMean);

const blocks = (x: tfl.SymbolicTensor): tfl.SymbolicTensor => chain(x, attention('a'), attention('b'), attention('c'));
const refusal = (model: tfl.LayersModel, options: IlrecOptions = {}): string => {
  const method = ilrec(options);
  try {
    method.attach(model);
  } catch (error) {
    return (error as Error).message;
  } finally {
    method.detach();
  }
  return 'attached';
};

describe('ilrec refuses by one sentence', () => {
  forEachBackend(() => {
    it('models that see the tokens they should predict', () => {
      const both = (name: string): tfl.layers.Layer =>
        layers.bidirectional({ name, layer: recurrent('gru', `${name}_inner`) as tfl.RNN, mergeMode: 'sum' });
      expect(refusal(stack(both('a'), both('b'), dense()))).to.equal(
        'ilrec: the model must be causal, got layer "a" (Bidirectional): it reads the sequence from both ends, so a position sees the tokens that it should predict; use a layer that reads forward only, or set taps.causal where no response position does',
      );
      const backward = (name: string): tfl.layers.Layer => recurrent('gru', name, D, { goBackwards: true });
      expect(refusal(stack(backward('a'), backward('b'), dense()))).to.match(
        /got layer "a" \(GRU\): it reads the sequence from its end/,
      );
      const convolution = (name: string): tfl.layers.Layer =>
        layers.conv1d({ name, filters: D, kernelSize: 3, padding: 'same' });
      expect(refusal(stack(convolution('a'), convolution('b'), dense()))).to.match(
        /got layer "a" \(Conv1D\): its padding is 'same', which shows a position those after it/,
      );
      const open = (name: string): tfl.layers.Layer => attention(name, { residual: true, causal: false });
      expect(refusal(functional((x) => chain(x, open('a'), open('b'), norm('final'), dense())))).to.equal(
        'ilrec: the model must be causal, got hidden states at position 0 that change with the token at position 3; mask later positions in its attention, or set taps.causal where no response position sees them',
      );
      expect(refusal(functional((x) => chain(x, attention('a'), attention('b'), dense())))).to.equal('attached');
      expect(
        refusal(
          functional((x) => chain(x, open('a'), open('b'), norm('final'), dense())),
          { taps: { causal: true } },
        ),
      ).to.equal('attached');
      expect(refusal(stack(both('a'), both('b'), dense()), { taps: { causal: true } })).to.equal('attached');
    });

    it('outputs that are not logits over tokens at each position', () => {
      const last = recurrent('lstm', 'last', D, { returnSequences: false });
      expect(refusal(stack(recurrent('lstm', 'a'), last, dense()))).to.equal(
        'ilrec: the model must give logits at every position, [B, T, V], got an output of shape [B, 19]; let the last recurrent layer return sequences, and give custom layers a computeOutputShape',
      );
      expect(refusal(functional((x) => chain(x, attention('a'), attention('b'), dense('out', V, 'sigmoid'))))).to.equal(
        "ilrec: \"out\" must make logits or softmax probabilities, got activation 'sigmoid', which is not a distribution over tokens; use 'softmax' or none",
      );
      expect(refusal(functional((x) => through(new SecretSoftmax({ name: 'secret' }), blocks(x))))).to.equal(
        'ilrec: the head "secret" must make logits, got probabilities (each row sums to 1); give it the softmax as its option activation, or put a softmax layer behind it',
      );
    });

    it('models in which a tensor goes past the blocks, and says that they may be named', () => {
      const add = (name: string, ...xs: tfl.SymbolicTensor[]): tfl.SymbolicTensor =>
        layers.add({ name }).apply(xs) as tfl.SymbolicTensor;
      const skipping = functional((x) => chain(add('skip', x, blocks(x)), norm('final'), dense()));
      const rule = (from: string, past: string, to: string): string =>
        `ilrec: could not find the blocks of this model: the output of "${from}" goes past ${past} to "${to}", so that none of these has the whole hidden state; the option taps.blocks may name them. Layers seen: `;
      expect(refusal(skipping)).to.equal(
        rule('tokens', '"a", "b", "c"', 'skip') +
          'tokens (Embedding), a (CausalSelfAttention), b (CausalSelfAttention), c (CausalSelfAttention), skip (Add), final (LayerNormalization), out (Dense)',
      );
      expect(refusal(skipping, { taps: { blocks: ['a', 'b', 'c'] } })).to.equal('attached');
      const inside = functional((x) => {
        const first = chain(x, attention('a'));
        return chain(add('late', first, chain(first, attention('b'), attention('c'))), dense());
      });
      expect(refusal(inside)).to.include(rule('a', '"b", "c"', 'late'));
      expect(refusal(functional((x) => chain(x, attention('a'), recurrent('gru', 'b'), dense())))).to.match(
        /^ilrec: could not find the blocks of this model: "a", "b" are all of different classes, CausalSelfAttention, GRU; the option taps\.blocks may name them\. Layers seen: /,
      );
    });

    it('a norm over the batch between the blocks and the logits, for methods that read several layers', () => {
      const bn = (name: string): tfl.layers.Layer => layers.batchNormalization({ name });
      const rule = (name: string): string =>
        `ilrec: layer "${name}" (BatchNormalization) between the last block and the logits must treat each position alone, got a norm over the batch, whose statistics would not be the same for all layers; use a layerNormalization instead`;
      const model = stack(recurrent('gru', 'a'), recurrent('gru', 'b'), bn('final'), dense());
      expect(refusal(model)).to.equal(rule('final'));
      expect(refusal(functional((x) => chain(blocks(x), bn('last'), norm('more'), dense())))).to.equal(rule('last'));
      const inside = stack(recurrent('gru', 'a'), bn('n0'), recurrent('gru', 'b'), norm('final'), dense());
      expect(refusal(inside)).to.equal('attached');
      const plain = sft();
      plain.attach(model);
      plain.detach();
    });

    it('models whose blocks cannot be told', () => {
      expect(refusal(stack(recurrent('lstm', 'only'), dense()))).to.equal(
        'ilrec: the model must have two blocks or more, each a layer of its graph, got one, "only"; the layers to tap are the blocks before the last, so add another, or name them with taps.blocks',
      );
      expect(refusal(stack(recurrent('lstm', 'a', 16), recurrent('lstm', 'b', 12), dense()))).to.equal(
        'ilrec: at least two blocks must have outputs of the width that the head reads, got a 16, b 12; give the last blocks one width, or name blocks with taps.blocks',
      );
      expect(
        refusal(stack(recurrent('lstm', 'a'), recurrent('lstm', 'b'), new RunningMean({ name: 'mean' }), dense())),
      ).to.equal(
        'ilrec: layer "mean" (RunningMean) between the last block and the logits must treat each position alone; name the blocks, the norm and the head with taps.blocks, taps.norm and taps.head',
      );
      expect(
        refusal(stack(recurrent('lstm', 'a'), recurrent('lstm', 'b'), new RunningMean({ name: 'mean' }), dense()), {
          taps: { blocks: ['a', 'b'] },
        }),
      ).to.equal('attached');
      expect(
        refusal(stack(recurrent('lstm', 'a'), recurrent('lstm', 'b'), dense()), { taps: { blocks: ['a', 'z'] } }),
      ).to.match(/^ilrec: taps\.blocks = z matches no layer; set the option taps\.blocks\. Layers seen: /);
      expect(
        refusal(
          functional((x) => chain(x, attention('a'), attention('b'), norm('final'), dense())),
          { taps: { norm: 'tokens' } },
        ),
      ).to.match(
        /^ilrec: layer "a" \(CausalSelfAttention\) between the last block and the logits must treat each position alone/,
      );
    });

    it('labels that are no tokens', async () => {
      const model = functional((x) => chain(x, attention('a'), attention('b'), dense()));
      const method = ilrec();
      model.compile({ optimizer: tf.train.sgd(0), loss: method.loss });
      method.attach(model);
      const failed = await model.trainOnBatch(tf.ones([1, T], 'int32'), tf.fill([1, T], V, 'int32')).then(
        () => 'trained',
        (error: Error) => error.message,
      );
      expect(failed).to.equal("ilrec: labels must be tokens below the 19 of the model's vocabulary, or -100, got 19");
      method.detach();
    });

    it('a reward without token ids, and what is no model of layers', () => {
      const oneHot = tfl.sequential({
        layers: [recurrent('gru', 'a', D, { inputShape: [null, V] }), recurrent('gru', 'b'), dense()],
      });
      expect(refusal(oneHot, { reward: () => tf.zeros([1, V]) })).to.equal(
        'ilrec: the reward needs the token ids, and no embedding layer was found; set the option taps.embedding',
      );
      expect(refusal(new (class GraphModel {})() as unknown as tfl.LayersModel)).to.equal(
        'ilrec: the model must be a tf.LayersModel, got a GraphModel; load it with tf.loadLayersModel, or build it of layers',
      );
    });

    it('nothing of a foreign head that shares the embedding, nor of a stateful stack', () => {
      const tokens = embedding();
      const input = tfl.input({ shape: [null], dtype: 'int32' });
      const tied = tfl.model({
        inputs: input,
        outputs: through(
          new ForeignTiedHead({ name: 'out', table: tokens, numTokens: V }),
          blocks(through(tokens, input)),
        ),
      });
      expect(refusal(tied)).to.equal('attached');
      const stateful = (name: string): tfl.layers.Layer => recurrent('gru', name, D, { stateful: true });
      const states = tfl.sequential({
        layers: [embedding({ batchInputShape: [2, T] }), stateful('a'), stateful('b'), dense()],
      });
      expect(refusal(states)).to.equal('attached');
    });
  });
});
