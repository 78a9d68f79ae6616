import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect } from 'chai';
import { ilrec } from '../../src/ilrec/ilrec';
import { isRecomputing } from '../../src/ops/recomputation';
import { causalLM, type CausalLMConfig } from '../../src/models/causal_lm';
import { gradientCheckpointing } from '../../src/training/gradient_checkpointing';
import { forEachBackend } from '../support/backends';
import { peakBytes } from '../support/peak_memory';
import { integers } from '../support/random';
import { maxDifference } from '../support/reference';

const [B, T, V] = [3, 7, 19];
const config: CausalLMConfig = {
  vocabSize: V,
  hiddenSize: 8,
  intermediateSize: 11,
  numHiddenLayers: 3,
  numAttentionHeads: 2,
  numKeyValueHeads: 1,
  initializerRange: 0.4,
  seed: 3,
};
const ids = (): tf.Tensor2D => tf.tensor2d(integers(B * T, V, 1), [B, T], 'int32');
const labels = (): tf.Tensor2D =>
  tf.tensor2d(
    integers(B * T, V, 2).map((label, at) => (at % T < 3 ? -100 : label)),
    [B, T],
    'int32',
  );

/** Loss and gradients, by position of the weight, of one training pass. */
function gradients(
  model: tfl.LayersModel,
  loss: (output: tf.Tensor) => tf.Scalar = (y) => tf.mean(tf.square(y)),
): { loss: number; grads: Float32Array[] } {
  return tf.tidy(() => {
    const variables = model.trainableWeights.map((weight) => weight.read() as tf.Variable);
    const { value, grads } = tf.variableGrads(
      () => loss(model.apply(ids(), { training: true }) as tf.Tensor),
      variables,
    );
    return { loss: value.dataSync()[0], grads: variables.map(({ name }) => grads[name].dataSync<'float32'>()) };
  });
}

function expectSame(a: ReturnType<typeof gradients>, b: ReturnType<typeof gradients>): void {
  expect(a.loss).to.be.closeTo(b.loss, 1e-6 * Math.abs(b.loss));
  a.grads.forEach((gradient, i) =>
    expect(maxDifference(gradient, b.grads[i]), `weight ${i}`).to.be.at.most(
      1e-5 * Math.max(...b.grads[i].map(Math.abs), 1e-3),
    ),
  );
}

/** x + w x + noise: a block as a user might write it. */
class OwnBlock extends tfl.layers.Layer {
  static readonly className: string = 'SpecCheckpointBlock';
  private kernel!: tfl.LayerVariable;

  constructor(private readonly options: { name: string; noise?: boolean; twice?: boolean }) {
    super({ name: options.name });
  }

  override build(shape: tfl.Shape | tfl.Shape[]): void {
    const size = (shape as tfl.Shape)[shape.length - 1] as number;
    this.kernel = this.addWeight(
      'kernel',
      [size, size],
      'float32',
      tfl.initializers.randomNormal({ stddev: 0.3, seed: 5 }),
    );
    this.built = true;
  }

  override computeOutputShape(shape: tfl.Shape | tfl.Shape[]): tfl.Shape | tfl.Shape[] {
    return this.options.twice === true ? [shape as tfl.Shape, shape as tfl.Shape] : shape;
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor | tf.Tensor[] {
    return tf.tidy(() => {
      const x = Array.isArray(inputs) ? inputs[0] : inputs;
      const flat = tf.matMul(tf.reshape(x, [-1, x.shape[2] as number]), this.kernel.read() as tf.Tensor2D);
      const y = tf.add(x, tf.tanh(tf.reshape(flat, x.shape)));
      const noisy = this.options.noise === true ? tf.add(y, tf.randomNormal(y.shape)) : y;
      return this.options.twice === true ? [noisy, tf.clone(noisy)] : noisy;
    });
  }
}

function foreign(blocks: (hidden: tfl.SymbolicTensor) => tfl.SymbolicTensor): tfl.LayersModel {
  const input = tfl.input({ shape: [null], dtype: 'int32' });
  const embedded = tfl.layers
    .embedding({ inputDim: V, outputDim: 6, embeddingsInitializer: tfl.initializers.randomNormal({ seed: 1 }) })
    .apply(input) as tfl.SymbolicTensor;
  const head = tfl.layers.dense({ units: V, kernelInitializer: tfl.initializers.randomNormal({ seed: 2 }) });
  return tfl.model({ inputs: input, outputs: head.apply(blocks(embedded)) as tfl.SymbolicTensor });
}

const stack =
  (...layers: tfl.layers.Layer[]) =>
  (x: tfl.SymbolicTensor): tfl.SymbolicTensor =>
    layers.reduce((hidden, layer) => layer.apply(hidden) as tfl.SymbolicTensor, x);

describe('gradientCheckpointing', () => {
  forEachBackend(() => {
    it('leaves loss and gradients of every weight as they are', () => {
      const model = causalLM(config);
      const plain = gradients(model);
      const { remove } = gradientCheckpointing(model);
      expectSame(gradients(model), plain);
      remove();
      expectSame(gradients(model), plain);
      expect(model.layers.some((layer) => Object.hasOwn(layer, 'call'))).to.equal(false);
      model.dispose();
    });

    it('repeats the dropout masks, and counts a step once', () => {
      const dropping = { ...config, attentionDropout: 0.3, hiddenDropout: 0.2 };
      const [a, b] = [causalLM(dropping), causalLM(dropping)];
      gradientCheckpointing(b);
      const steps = [gradients(a), gradients(a)];
      expect(Math.abs(steps[0].loss - steps[1].loss)).to.be.above(1e-4);
      for (const step of steps) expectSame(gradients(b), step);
      for (const model of [a, b]) model.dispose();
    });

    it('says so while it repeats a block, for those who watch the calls', () => {
      const seen: boolean[] = [];
      class Watched extends OwnBlock {
        override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor | tf.Tensor[] {
          seen.push(isRecomputing());
          return super.call(inputs);
        }
      }
      const model = foreign(stack(new Watched({ name: 'watched' }), new OwnBlock({ name: 'other' })));
      gradientCheckpointing(model, { blocks: ['watched', 'other'] });
      gradients(model);
      gradients(model);
      // the first pass also looks whether a second run gives the same
      expect(seen).to.deep.equal([false, true, true, false, true]);
      model.dispose();
    });

    it('hands the padding mask on to the repeated pass', () => {
      const model = causalLM({ ...config, padTokenId: integers(1, V, 1)[0] });
      const plain = gradients(model);
      gradientCheckpointing(model);
      expectSame(gradients(model), plain);
      model.dispose();
    });

    it('works under the taps of ilrec, attached before or after, with gradients into the intermediate blocks', () => {
      const objective = { penaltyWeight: 0.8, distillationWeight: 0.4 };
      const run = (arrange: (model: tfl.LayersModel, attach: () => void) => void): ReturnType<typeof gradients> => {
        const model = causalLM(config);
        const method = ilrec(objective);
        arrange(model, () => method.attach(model));
        const result = gradients(model, (output) => method.loss(labels(), output));
        method.detach();
        model.dispose();
        return result;
      };
      const plain = run((_, attach) => attach());
      expectSame(
        run((model, attach) => void [gradientCheckpointing(model), attach()]),
        plain,
      );
      expectSame(
        run((model, attach) => void [attach(), gradientCheckpointing(model)]),
        plain,
      );
    });

    it('trains in compile and fit as without', async () => {
      const losses = await Promise.all(
        [false, true].map(async (checkpointing) => {
          const model = causalLM(config);
          if (checkpointing) gradientCheckpointing(model);
          const method = ilrec();
          model.compile({ optimizer: tf.train.adam(0.01), loss: method.loss });
          method.attach(model);
          const { history } = await model.fit(ids(), labels(), { epochs: 3, batchSize: B, verbose: 0, shuffle: false });
          method.detach();
          model.dispose();
          return history.loss as number[];
        }),
      );
      expect(maxDifference(losses[1], losses[0])).to.be.below(1e-5);
      expect(losses[1][2]).to.be.below(losses[1][0]);
    });

    it('takes blocks of other classes: recurrent layers, own layers, nested models, also under the taps of ilrec', () => {
      const recurrent = () =>
        stack(
          ...[1, 2].map((seed) =>
            tfl.layers.lstm({
              units: 6,
              returnSequences: true,
              kernelInitializer: tfl.initializers.glorotNormal({ seed }),
              recurrentInitializer: tfl.initializers.glorotNormal({ seed }),
            }),
          ),
        );
      const own = () => stack(...[1, 2].map((i) => new OwnBlock({ name: `own_${i}` })));
      const nested = () =>
        stack(
          ...[1, 2].map((i) => {
            const input = tfl.input({ shape: [null, 6] });
            return tfl.model({
              inputs: input,
              outputs: stack(
                tfl.layers.dense({ units: 6, activation: 'tanh' }),
                new OwnBlock({ name: `inner_${i}` }),
              )(input),
              name: `block_${i}`,
            });
          }),
        );
      for (const [blocks, selector] of [
        [recurrent, undefined],
        [own, undefined],
        [nested, undefined],
        [nested, /^inner_/],
      ] as const) {
        const model = foreign(blocks());
        const method = ilrec({ penaltyWeight: 0.8, distillationWeight: 0.4 });
        const tapped = (): ReturnType<typeof gradients> => {
          method.attach(model);
          const result = gradients(model, (output) => method.loss(labels(), output));
          method.detach();
          return result;
        };
        const [plain, plainTapped] = [gradients(model), tapped()];
        gradientCheckpointing(model, { blocks: selector });
        expectSame(gradients(model), plain);
        expectSame(tapped(), plainTapped);
        model.dispose();
      }
    });

    it('takes one named block, of a model that is no language model, in fit with a loss of tfjs', async () => {
      const repeats: string[] = [];
      class Counted extends OwnBlock {
        override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor | tf.Tensor[] {
          if (isRecomputing()) repeats.push(this.name);
          return super.call(inputs);
        }
      }
      const trained = async (blocks: string | RegExp | null): Promise<Float32Array[]> => {
        repeats.length = 0;
        const both = tfl.layers.bidirectional({
          layer: tfl.layers.simpleRNN({
            units: 4,
            returnSequences: true,
            kernelInitializer: tfl.initializers.glorotNormal({ seed: 1 }),
            recurrentInitializer: tfl.initializers.glorotNormal({ seed: 2 }),
          }),
          mergeMode: 'sum',
          inputShape: [T, 3],
        } as unknown as Parameters<typeof tfl.layers.bidirectional>[0]);
        const model = tfl.sequential({
          layers: [
            both,
            new Counted({ name: 'first' }),
            new Counted({ name: 'second' }),
            tfl.layers.flatten(),
            tfl.layers.dense({ units: 1, kernelInitializer: tfl.initializers.glorotNormal({ seed: 3 }) }),
          ],
        });
        if (blocks !== null) gradientCheckpointing(model, { blocks });
        model.compile({ optimizer: tf.train.sgd(0.1), loss: 'meanSquaredError' });
        await model.fit(tf.ones([B, T, 3]), tf.ones([B, 1]), { epochs: 2, verbose: 0 });
        return model.getWeights().map((weight) => weight.dataSync<'float32'>().slice());
      };
      const plain = await trained(null);
      for (const [blocks, names] of [
        ['second', ['second']],
        [/first|second/, ['first', 'second']],
      ] as const) {
        (await trained(blocks)).forEach((weight, i) => expect(maxDifference(weight, plain[i])).to.be.below(1e-6));
        expect([...new Set(repeats)].sort()).to.deep.equal(names);
      }
    });

    it('takes blocks with several inputs, of which one holds integers', () => {
      class Masked extends OwnBlock {
        override computeOutputShape(shapes: tfl.Shape | tfl.Shape[]): tfl.Shape | tfl.Shape[] {
          return (shapes as tfl.Shape[])[0];
        }
        override build(shapes: tfl.Shape | tfl.Shape[]): void {
          super.build((shapes as tfl.Shape[])[0]);
        }
        override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor | tf.Tensor[] {
          const [x, tokens] = inputs as tf.Tensor[];
          return tf.tidy(() => super.call(tf.mul(x, tf.expandDims(tf.cast(tf.greater(tokens, 4), 'float32'), -1))));
        }
      }
      const input = tfl.input({ shape: [null], dtype: 'int32' });
      let hidden = tfl.layers
        .embedding({ inputDim: V, outputDim: 6, embeddingsInitializer: tfl.initializers.randomNormal({ seed: 1 }) })
        .apply(input) as tfl.SymbolicTensor;
      for (const name of ['masked_1', 'masked_2'])
        hidden = new Masked({ name }).apply([hidden, input]) as tfl.SymbolicTensor;
      const model = tfl.model({
        inputs: input,
        outputs: tfl.layers
          .dense({ units: V, kernelInitializer: tfl.initializers.randomNormal({ seed: 2 }) })
          .apply(hidden) as tfl.SymbolicTensor,
      });
      const plain = gradients(model);
      gradientCheckpointing(model, { blocks: ['masked_1', 'masked_2'] });
      expectSame(gradients(model), plain);
      model.dispose();
    });

    it('leaves prediction and evaluation alone', () => {
      const model = causalLM(config);
      tf.tidy(() => {
        const before = (model.predict(ids()) as tf.Tensor).dataSync();
        gradientCheckpointing(model);
        expect([...(model.predict(ids()) as tf.Tensor).dataSync()]).to.deep.equal([...before]);
      });
      model.dispose();
    });

    it('needs a third of the memory at 8 blocks, and more blocks cost their input and its gradient alone @slow', () => {
      const peak = (numHiddenLayers: number, checkpointing: boolean): number => {
        const model = causalLM({ ...config, hiddenSize: 16, intermediateSize: 48, numHiddenLayers });
        const weights = 4 * model.countParams();
        if (checkpointing) gradientCheckpointing(model);
        gradients(model); // the first pass also compares two runs
        const bytes = peakBytes(() => gradients(model)) - weights; // without the gradients, which are of the weights' size
        model.dispose();
        return bytes;
      };
      const input = 4 * B * T * 16; // one block's input
      expect(peak(8, true)).to.be.below(peak(8, false) / 3);
      expect((peak(12, true) - peak(8, true)) / 4).to.be.at.most(2 * input);
    });

    it('leaves no tensor behind', async () => {
      const model = causalLM({ ...config, hiddenDropout: 0.1 });
      gradientCheckpointing(model);
      gradients(model);
      const before = tf.memory().numTensors;
      for (let i = 0; i < 3; i++) gradients(model);
      expect(tf.memory().numTensors).to.equal(before);
      model.dispose();
    });

    it('refuses blocks that are spread over layers, of which only the sum would be found', () => {
      const spread = (x: tfl.SymbolicTensor): tfl.SymbolicTensor =>
        [1, 2, 3].reduce((hidden, i) => {
          const branch = tfl.layers.dense({ units: 6, name: `branch_${i}` }).apply(hidden) as tfl.SymbolicTensor;
          return tfl.layers.add({ name: `sum_${i}` }).apply([hidden, branch]) as tfl.SymbolicTensor;
        }, x);
      const model = foreign(spread);
      expect(() => gradientCheckpointing(model)).to.throw(
        'gradientCheckpointing: a block must be one layer that holds its weights, got "sum_1" (Add) without any; make each block a layer or a nested model, or name the layers that hold most with the option blocks',
      );
      model.dispose();
    });

    it('says what to name where no blocks are found, and which layers there are', () => {
      const model = tfl.sequential({ layers: [tfl.layers.dense({ units: 4, inputShape: [3], name: 'only' })] });
      expect(() => gradientCheckpointing(model)).to.throw(
        /^gradientCheckpointing: the blocks must be found or named, got "could not find the blocks .*"; name them with the option blocks$/,
      );
      expect(() => gradientCheckpointing(model, { blocks: ['only', 'other'] })).to.throw(
        'gradientCheckpointing: blocks must name layers of the model, got "other"; layers: only',
      );
      model.dispose();
    });

    it('refuses blocks that are stochastic, return several tensors or update averages', () => {
      const failure = (blocks: tfl.layers.Layer[]): string => {
        const model = foreign((x) =>
          blocks.reduce((hidden, block) => {
            const output = block.apply(hidden) as tfl.SymbolicTensor | tfl.SymbolicTensor[];
            return Array.isArray(output) ? output[0] : output;
          }, x),
        );
        try {
          gradientCheckpointing(model, { blocks: blocks.map(({ name }) => name) });
          gradients(model);
        } catch (error) {
          return (error as Error).message;
        }
        return 'nothing thrown';
      };
      expect(failure(['noisy_1', 'noisy_2'].map((name) => new OwnBlock({ name, noise: true })))).to.equal(
        'gradientCheckpointing: block "noisy_1" must give the same values when it is run again, got others; give its dropout a seed, or leave it out with the option blocks',
      );
      expect(failure(['two_1', 'two_2'].map((name) => new OwnBlock({ name, twice: true })))).to.equal(
        'gradientCheckpointing: block "two_1" must return one tensor, got 2; leave it out with the option blocks',
      );
      expect(failure(['averaged_1', 'averaged_2'].map((name) => tfl.layers.batchNormalization({ name })))).to.equal(
        'gradientCheckpointing: block "averaged_1" must compute its values alone, got "averaged_1", which updates its averages at each run; leave the block out with the option blocks',
      );
    });
  });
});
