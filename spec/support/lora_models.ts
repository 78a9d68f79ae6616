import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import type { LoraAdapter } from '../../src/lora';
import { normals } from './random';

/** A residual block of a user's own, with two kernels that it reads by itself. */
export class GatedBlock extends tfl.layers.Layer {
  static readonly className = 'SpecGatedBlock';
  private gate!: tfl.LayerVariable;
  private up!: tfl.LayerVariable;

  override build(shape: tfl.Shape): void {
    const size = shape[shape.length - 1] as number;
    const normal = (seed: number) => tfl.initializers.randomNormal({ stddev: 0.4, seed });
    this.gate = this.addWeight('gate', [size, size], 'float32', normal(3));
    this.up = this.addWeight('up', [size, size], 'float32', normal(4));
    this.built = true;
  }

  override computeOutputShape(shape: tfl.Shape): tfl.Shape {
    return shape;
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => {
      const x = Array.isArray(inputs) ? inputs[0] : inputs;
      const rows = tf.reshape(x, [-1, x.shape[2] as number]);
      const product = (kernel: tfl.LayerVariable): tf.Tensor =>
        tf.matMul(rows as tf.Tensor2D, kernel.read() as tf.Tensor2D);
      return tf.add(x, tf.reshape(tf.mul(tf.sigmoid(product(this.gate)), product(this.up)), x.shape));
    });
  }
}

/**
 * A causal language model in which nothing is of this package: recurrent layers, dense blocks, a block of the user's, a
 * dense head.
 */
export function foreignModel(vocabSize: number, units = 6): tfl.LayersModel {
  const normal = (seed: number) => tfl.initializers.randomNormal({ stddev: 0.4, seed });
  const input = tfl.input({ shape: [null], dtype: 'int32', name: 'ids' });
  const layers = [
    tfl.layers.embedding({ name: 'table', inputDim: vocabSize, outputDim: units, embeddingsInitializer: normal(1) }),
    ...[5, 6].map((seed) =>
      tfl.layers.lstm({
        name: `lstm_${seed}`,
        units,
        returnSequences: true,
        kernelInitializer: normal(seed),
        recurrentInitializer: normal(seed + 10),
      }),
    ),
    tfl.layers.dense({
      name: 'mixer',
      units,
      activation: 'relu',
      kernelInitializer: normal(7),
      biasInitializer: normal(8),
    }),
    tfl.layers.timeDistributed({
      name: 'timed',
      layer: tfl.layers.dense({ units, activation: 'tanh', kernelInitializer: normal(9) }),
    }),
    new GatedBlock({ name: 'gated' }),
    tfl.layers.dense({ name: 'head', units: vocabSize, kernelInitializer: normal(2), biasInitializer: normal(12) }),
  ];
  const output = layers.reduce((hidden, layer) => layer.apply(hidden) as tfl.SymbolicTensor, input);
  return tfl.model({ inputs: input, outputs: output });
}

/** Writes values into a weight. */
export function assign(variable: tfl.LayerVariable, values: tf.TensorLike): void {
  const tensor = tf.tensor(values, variable.shape as number[]);
  variable.write(tensor);
  tensor.dispose();
}

/** Gives B random values, so that the adapter changes something. */
export function fillB(adapter: LoraAdapter, seed = 1, scale = 0.3): void {
  adapter.pairs.forEach(({ b }, i) => assign(b, normals(tf.util.sizeFromShape(b.shape as number[]), seed + i, scale)));
}

/** W + scale A B of every pair in float64, by path, as rows in the weight's own layout. */
export function adaptedWeights(adapter: LoraAdapter): Map<string, number[][]> {
  return new Map(
    adapter.pairs.map(({ site, a, b, scale }) => {
      const [A, B, W] = [a.read(), b.read(), tfl.LayerVariable.prototype.read.call(site.variable) as tf.Tensor].map(
        (x) => ({ data: x.dataSync(), columns: x.shape[1] as number }),
      );
      const rank = A.columns;
      const product = (i: number, o: number): number =>
        Array.from({ length: rank }, (_, k) => A.data[i * rank + k] * B.data[k * B.columns + o]).reduce(
          (x, y) => x + y,
        );
      const rows = Array.from({ length: W.data.length / W.columns }, (_, r) =>
        Array.from(
          { length: W.columns },
          (__, c) => W.data[r * W.columns + c] + scale * (site.transposed ? product(c, r) : product(r, c)),
        ),
      );
      return [site.path, rows];
    }),
  );
}
