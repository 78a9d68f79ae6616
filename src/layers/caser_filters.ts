import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { mixSeeds } from '../ops/dropout';
import { linear } from '../ops/linear';
import { unstack } from '../ops/unstack';
import { type LayerArgs, onlyInput, type Shape } from './layer_types';

/** Arguments of `CaserFilters`. */
export interface CaserFiltersArgs extends LayerArgs {
  /** L, newest items that each position sees. */
  windowSize: number;
  /** F, horizontal filters of each height. */
  numHorizontalFilters: number;
  /** G, vertical filters. */
  numVerticalFilters: number;
  /** Seed of the weights. Default 0. */
  seed?: number;
}

/**
 * Applies Caser's filters to the window at every position: embedded items [B, T, D] to [B, T, L F + G D].
 *
 * ```
 * E_t = the newest L items at t, [L, D]; rows before the first item are 0
 * o_h = relu( max_i <W_h, E_t[i : i + h]> + b_h ) for h = 1 ... L, F of each;   o_v = C E_t, G rows of D
 * ```
 * A window never looks ahead, so that one pass serves the targets of all positions. Position 0 is the start of the row
 * and no item: it counts as 0 in every window.
 */
export class CaserFilters extends tfl.layers.Layer {
  static readonly className = 'ILRecCaserFilters';
  private readonly args: CaserFiltersArgs;
  private readonly horizontal: tfl.LayerVariable[] = []; // W_h [h D, F] at h - 1
  private horizontalBias!: tfl.LayerVariable; // [L, F]
  private vertical!: tfl.LayerVariable; // C [G, L]

  constructor(args: CaserFiltersArgs) {
    super(args);
    this.args = { ...args };
  }

  override build(inputShape: Shape): void {
    const hiddenSize = inputShape[inputShape.length - 1] as number;
    const { windowSize, numHorizontalFilters, numVerticalFilters, seed = 0 } = this.args;
    const add = (name: string, shape: number[], site: number): tfl.LayerVariable =>
      this.addWeight(name, shape, 'float32', tfl.initializers.glorotUniform({ seed: mixSeeds(seed, site) }));
    for (let height = 1; height <= windowSize; height++)
      this.horizontal.push(add(`horizontal_${height}`, [height * hiddenSize, numHorizontalFilters], height));
    const zeros = tfl.initializers.zeros();
    this.horizontalBias = this.addWeight('horizontal_bias', [windowSize, numHorizontalFilters], 'float32', zeros);
    this.vertical = add('vertical', [numVerticalFilters, windowSize], 0);
    this.built = true;
  }

  override computeOutputShape(inputShape: Shape): Shape {
    const { windowSize, numHorizontalFilters, numVerticalFilters } = this.args;
    const hiddenSize = inputShape[inputShape.length - 1] as number;
    return [...inputShape.slice(0, -1), windowSize * numHorizontalFilters + numVerticalFilters * hiddenSize];
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => {
      const rows = this.windowRows(onlyInput(inputs, 'ILRecCaserFilters') as tf.Tensor3D); // L of [B, T, D]
      return tf.concat([...this.horizontalOutputs(rows), ...this.verticalOutputs(rows)], 2);
    });
  }

  override getConfig(): tf.serialization.ConfigDict {
    const { windowSize, numHorizontalFilters, numVerticalFilters, seed = 0 } = this.args;
    return { ...super.getConfig(), windowSize, numHorizontalFilters, numVerticalFilters, seed };
  }

  /** Row i of the window at every position, oldest first. */
  private windowRows(x: tf.Tensor3D): tf.Tensor3D[] {
    const { windowSize } = this.args;
    const [batch, length, hiddenSize] = x.shape;
    const items = tf.slice(x, [0, 1, 0], [batch, length - 1, hiddenSize]); // [B, T - 1, D]
    const padded = tf.concat<tf.Tensor3D>([tf.zeros([batch, windowSize, hiddenSize]), items], 1); // [B, L + T - 1, D]
    return Array.from({ length: windowSize }, (_, i) => tf.slice(padded, [0, i, 0], [batch, length, hiddenSize]));
  }

  /** Of each height, [B, T, F]. */
  private horizontalOutputs(rows: readonly tf.Tensor3D[]): tf.Tensor3D[] {
    return this.horizontal.map((kernel, at) => {
      const height = at + 1;
      const places = rows.slice(at).map((_, i) => tf.concat(rows.slice(i, i + height), 2)); // [B, T, h D] each
      const products = unstack(linear(tf.stack(places), kernel.read() as tf.Tensor2D)); // [B, T, F] each
      const largest = products.reduce((most, product) => tf.maximum(most, product)); // tf.max sends gradient to all ties
      const bias = tf.slice(this.horizontalBias.read() as tf.Tensor2D, [at, 0], [1, -1]); // [1, F]
      return tf.relu(tf.add(largest, bias)) as tf.Tensor3D; // the same as relu before the maximum
    });
  }

  /** Of each filter, [B, T, D]. */
  private verticalOutputs(rows: readonly tf.Tensor3D[]): tf.Tensor3D[] {
    const columns = tf.reshape(tf.stack([...rows]), [rows.length, -1]); // [L, B * T * D]
    const sums = tf.matMul(this.vertical.read(), columns); // [G, B * T * D]
    return unstack(sums).map((sum) => tf.reshape<tf.Rank.R3>(sum, rows[0].shape));
  }
}
