import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { mixSeeds } from '../ops/dropout';
import { linear } from '../ops/linear';
import { unstack } from '../ops/unstack';
import { type LayerArgs, onlyInput, type Shape } from './layer_types';

/** Arguments of `GRU`. */
export interface GRUArgs extends LayerArgs {
  /** Width of the state. */
  units: number;
  /** Seed of the weights. Default 0. */
  seed?: number;
}

/**
 * A gated recurrent unit (Cho et al., arXiv 1406.1078) over the positions of a row, [B, T, D] to [B, T, units].
 *
 * ```
 * a = x W + b,   c = h U + d,   each in three parts: reset, update, candidate
 * r = sigmoid(a_r + c_r),   z = sigmoid(a_z + c_z),   n = tanh(a_n + r c_n),   h' = n + z (h - n)
 * ```
 * The reset gate acts after the recurrent product, as in PyTorch, whose weights fit transposed; `tf.layers.gru` has it
 * before the product, costs more, and cannot train on rows of one position.
 */
export class GRU extends tfl.layers.Layer {
  static readonly className = 'ILRecGRU';
  private readonly units: number;
  private readonly seed: number;
  private kernel!: tfl.LayerVariable; // W [D, 3 units]
  private recurrentKernel!: tfl.LayerVariable; // U [units, 3 units]
  private bias!: tfl.LayerVariable; // b [3 units]
  private recurrentBias!: tfl.LayerVariable; // d [3 units]

  constructor(args: GRUArgs) {
    super(args);
    this.units = args.units;
    this.seed = args.seed ?? 0;
  }

  override build(inputShape: Shape): void {
    const hiddenSize = inputShape[inputShape.length - 1] as number;
    const glorot = (site: number): ReturnType<typeof tfl.initializers.glorotUniform> =>
      tfl.initializers.glorotUniform({ seed: mixSeeds(this.seed, site) });
    const zeros = tfl.initializers.zeros();
    this.kernel = this.addWeight('kernel', [hiddenSize, 3 * this.units], 'float32', glorot(0));
    this.recurrentKernel = this.addWeight('recurrent_kernel', [this.units, 3 * this.units], 'float32', glorot(1));
    this.bias = this.addWeight('bias', [3 * this.units], 'float32', zeros);
    this.recurrentBias = this.addWeight('recurrent_bias', [3 * this.units], 'float32', zeros);
    this.built = true;
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return [...inputShape.slice(0, -1), this.units];
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => {
      const x = onlyInput(inputs, 'ILRecGRU'); // [B, T, D]
      const fromInputs = tf.add(linear(x, this.kernel.read() as tf.Tensor2D), this.bias.read()); // a [B, T, 3 units]
      let state = tf.zeros([x.shape[0], this.units]);
      const states = unstack(fromInputs, 1).map((fromInput) => (state = this.step(fromInput, state)));
      return tf.stack(states, 1);
    });
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), units: this.units, seed: this.seed };
  }

  /** @param fromInput a [B, 3 units]. @param state h [B, units]. @returns h'. */
  private step(fromInput: tf.Tensor, state: tf.Tensor): tf.Tensor {
    const fromState = tf.add(tf.matMul(state, this.recurrentKernel.read()), this.recurrentBias.read()); // c [B, 3 units]
    const [a, c] = [fromInput, fromState].map((sums) => tf.split(sums, 3, 1)); // [B, units] each
    const reset = tf.sigmoid(tf.add(a[0], c[0]));
    const update = tf.sigmoid(tf.add(a[1], c[1]));
    const candidate = tf.tanh(tf.add(a[2], tf.mul(reset, c[2])));
    return tf.add(candidate, tf.mul(update, tf.sub(state, candidate)));
  }
}
