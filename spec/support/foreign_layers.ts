import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';

type Layer = tfl.layers.Layer;
type LayerArgs = NonNullable<ConstructorParameters<typeof tfl.layers.Layer>[0]>;
type Tensors = tf.Tensor | tf.Tensor[];

/** Layers as a user of tfjs writes them: plain subclasses that know nothing of this package. */
abstract class ForeignLayer extends tfl.layers.Layer {
  protected readonly matrices: tfl.LayerVariable[] = [];

  protected matrix(name: string, shape: number[]): void {
    this.matrices.push(
      this.addWeight(name, shape, 'float32', tfl.initializers.glorotUniform({ seed: this.matrices.length + 1 })),
    );
  }

  protected weight(at: number): tf.Tensor2D {
    return this.matrices[at].read() as tf.Tensor2D;
  }
}

/** Multiplies over the last axis. */
export function times(x: tf.Tensor, matrix: tf.Tensor2D, transposed = false): tf.Tensor {
  const [batch, length, size] = x.shape;
  return tf.reshape(tf.matMul(tf.reshape(x, [batch * length, size]), matrix, false, transposed), [batch, length, -1]);
}

export interface AttentionArgs extends LayerArgs {
  /** Whether the input is added to the output. */
  residual?: boolean;
  causal?: boolean;
}

/** Attention with one head; a second input [B, T] masks keys out where it is 0. */
export class ForeignAttention extends ForeignLayer {
  static readonly className: string = 'CausalSelfAttention';
  private readonly residual: boolean;
  private readonly causal: boolean;

  constructor({ residual = false, causal = true, ...args }: AttentionArgs) {
    super(args);
    this.residual = residual;
    this.causal = causal;
  }

  override build(inputShape: tfl.Shape | tfl.Shape[]): void {
    const shape = (Array.isArray(inputShape[0]) ? inputShape[0] : inputShape) as tfl.Shape;
    const size = shape[shape.length - 1] as number;
    for (const name of ['query', 'key', 'value', 'out']) this.matrix(name, [size, size]);
    this.built = true;
  }

  override computeOutputShape(inputShape: tfl.Shape | tfl.Shape[]): tfl.Shape {
    return (Array.isArray(inputShape[0]) ? inputShape[0] : inputShape) as tfl.Shape;
  }

  override call(inputs: Tensors): Tensors {
    return tf.tidy(() => {
      const [x, mask] = Array.isArray(inputs) ? inputs : [inputs];
      const [, length, size] = x.shape;
      const [query, key, value] = [0, 1, 2].map((at) => times(x, this.weight(at)));
      let scores = tf.div(tf.matMul(query, key, false, true), Math.sqrt(size as number)); // [B, T, T]
      if (this.causal)
        scores = tf.add(
          scores,
          tf.mul(tf.sub(1, tf.linalg.bandPart(tf.ones([length as number, length as number]), -1, 0)), -1e9),
        );
      if (mask !== undefined) scores = tf.add(scores, tf.mul(tf.expandDims(tf.sub(1, mask), 1), -1e9));
      const output = times(tf.matMul(tf.softmax(scores), value), this.weight(3));
      return this.residual ? tf.add(x, output) : output;
    });
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), residual: this.residual, causal: this.causal };
  }
}
tf.serialization.registerClass(ForeignAttention);

/** Adds a learned vector per position. */
export class ForeignPositions extends ForeignLayer {
  static readonly className: string = 'LearnedPositions';

  override build(inputShape: tfl.Shape): void {
    this.matrix('table', [16, inputShape[inputShape.length - 1] as number]);
    this.built = true;
  }

  override call(inputs: Tensors): Tensors {
    const x = Array.isArray(inputs) ? inputs[0] : inputs;
    return tf.tidy(() => tf.add(x, tf.slice(this.weight(0), [0, 0], [x.shape[1] as number, -1])));
  }
}
tf.serialization.registerClass(ForeignPositions);

/** A normalisation whose name does not say so. */
export class ForeignGain extends ForeignLayer {
  static readonly className: string = 'UnitGain';

  override build(inputShape: tfl.Shape): void {
    this.matrices.push(this.addWeight('gain', [inputShape[inputShape.length - 1]], 'float32', tfl.initializers.ones()));
    this.built = true;
  }

  override call(inputs: Tensors): Tensors {
    const x = Array.isArray(inputs) ? inputs[0] : inputs;
    return tf.tidy(() => tf.mul(tf.div(x, tf.sqrt(tf.add(tf.mean(tf.square(x), -1, true), 1e-5))), this.weight(0)));
  }
}
tf.serialization.registerClass(ForeignGain);

/** A head without weights of its own: it multiplies by the table of an embedding that it holds. */
export class ForeignTiedHead extends tfl.layers.Layer {
  static readonly className: string = 'Unembedding';
  private readonly table: Layer;
  private readonly numTokens: number;

  constructor({ table, numTokens, ...args }: LayerArgs & { table: Layer; numTokens: number }) {
    super(args);
    this.table = table;
    this.numTokens = numTokens;
  }

  override computeOutputShape(inputShape: tfl.Shape): tfl.Shape {
    return [...inputShape.slice(0, -1), this.numTokens];
  }

  override call(inputs: Tensors): Tensors {
    const x = Array.isArray(inputs) ? inputs[0] : inputs;
    return tf.tidy(() => times(x, this.table.weights[0].read() as tf.Tensor2D, true));
  }
}
tf.serialization.registerClass(ForeignTiedHead);

/** What a layer makes of one tensor of the graph. */
export function through(layer: Layer, x: tfl.SymbolicTensor): tfl.SymbolicTensor {
  return layer.apply(x) as tfl.SymbolicTensor;
}
