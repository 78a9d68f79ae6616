import * as tf from '@tensorflow/tfjs-core';
import { UnnamedError } from '../errors';
import type { CallArgs } from '../layers/layer_types';
import { activated, activationOf } from './layer_kinds';
import { classOf, type PartGraph, sameSource, type Site, type Source } from './model_graph';

/** Gives the rows [R, ...] of a side input at the positions on which a path is run. */
export type SideRows = (source: Source) => tf.Tensor;

/**
 * A part of a model's graph that treats each position alone, run on rows instead of sequences: from the last block to
 * the head, or from the head to the logits.
 */
export class RowPath {
  /**
   * Inputs of the parts that do not come from the path's start; they are taken from the pass through the whole model.
   */
  readonly sides: readonly Source[];
  private readonly made: readonly Source[];

  /**
   * @param parts in order.
   * @param start the tensor that the rows stand for.
   * @param end the tensor that is computed.
   * @param logits whether a softmax at the end is left out, so that the result is logits and not probabilities.
   */
  constructor(
    readonly parts: readonly Site[],
    private readonly start: Source,
    private readonly end: Source,
    private readonly logits = false,
  ) {
    this.made = [start, ...parts.flatMap(({ outputs }) => outputs)];
    const inputs = parts.flatMap((part) => part.inputs);
    this.sides = inputs.filter(
      (input, i) => !this.makes(input) && inputs.findIndex((other) => sameSource(other, input)) === i,
    );
  }

  /** Index of the input of a part that comes along the path. */
  mainInput(part: Site): number {
    return part.inputs.findIndex((input) => this.makes(input));
  }

  /**
   * @param rows [R, D].
   * @returns [R, E].
   * @throws UnnamedError when the layers do not treat each position alone.
   */
  run(rows: tf.Tensor2D, sideRows: SideRows, kwargs: CallArgs): tf.Tensor2D {
    const values: [Source, tf.Tensor][] = [[this.start, sequence(rows)]];
    const valueOf = (source: Source): tf.Tensor =>
      values.find(([made]) => sameSource(made, source))?.[1] ?? sequence(sideRows(source));
    for (const part of this.parts) {
      const last = this.logits && part === this.parts[this.parts.length - 1];
      const outputs = callOnRows(part, part.inputs.map(valueOf), kwargs, last);
      part.outputs.forEach((source, i) => values.push([source, outputs[i]]));
    }
    const output = valueOf(this.end); // [1, R, E]
    const [one, count, size] = output.shape;
    if (output.rank !== 3 || one !== 1 || count !== rows.shape[0]) {
      throw new UnnamedError(
        `${this.parts.map(({ layer }) => `"${layer.name}"`).join(', ')} must map [B, T, D] to [B, T, E] position by position, got [${output.shape.join(', ')}] for [1, ${rows.shape.join(', ')}]; set the option taps.norm or taps.head`,
      );
    }
    return tf.reshape(output, [count, size as number]);
  }

  private makes(source: Source): boolean {
    return this.made.some((made) => sameSource(made, source));
  }
}

/** The path between two tensors of the graph. */
export function rowPath(graph: PartGraph, from: Source, to: Source, logits = false): RowPath {
  const maker = graph.maker(to);
  return new RowPath(maker === null || sameSource(from, to) ? [] : graph.between(from, maker), from, to, logits);
}

/** Rows as the sequence of a batch of one, [1, R, ...]. */
function sequence(rows: tf.Tensor): tf.Tensor {
  return tf.reshape(rows, [1, ...rows.shape]);
}

function callOnRows({ layer }: Site, inputs: tf.Tensor[], kwargs: CallArgs, last: boolean): tf.Tensor[] {
  if (last && classOf(layer) === 'Softmax') return inputs;
  const run = (): tf.Tensor[] => {
    if (classOf(layer) !== 'TimeDistributed') return list(layer.call(inputs, { ...kwargs }));
    const [, count, ...rest] = inputs[0].shape; // all positions at once, not one after the other
    const [output] = list(activated(layer).call([tf.reshape(inputs[0], [count, ...rest])], { ...kwargs }));
    return [sequence(output)];
  };
  return last && /^(log)?softmax$/i.test(activationOf(layer) ?? '') ? withoutActivation(activated(layer), run) : run();
}

const LINEAR = { getClassName: () => 'linear', apply: (x: tf.Tensor): tf.Tensor => tf.clone(x), getConfig: () => ({}) };

/** Runs without the layer's activation. */
function withoutActivation<T>(layer: object, run: () => T): T {
  const activation: unknown = Reflect.get(layer, 'activation');
  Reflect.set(layer, 'activation', LINEAR);
  try {
    return run();
  } finally {
    Reflect.set(layer, 'activation', activation);
  }
}

function list(output: tf.Tensor | tf.Tensor[]): tf.Tensor[] {
  return Array.isArray(output) ? output : [output];
}
