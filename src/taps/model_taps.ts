import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import type { CallArgs } from '../layers/layer_types';
import { refuseWeights } from './refuse_weights';
import { shadow } from './shadow';
import type { TapLocations } from './tap_locations';

type Layer = tfl.layers.Layer;

/** What one forward pass left for the loss. */
export interface Capture {
  /** Outputs of the tapped blocks, first to last, [B, T, D] each. */
  readonly hiddenStates: readonly tf.Tensor3D[];
  /** The embedding's input, token ids [B, T]; null where it was not asked for. */
  readonly inputIds: tf.Tensor | null;
  /** Whether the pass was a training pass (an evaluation otherwise). */
  readonly training: boolean;
}

/**
 * Taps on one model: while attached, in training and in evaluation (never in predict), the outputs of the blocks asked for are kept for
 * the loss and the head passes its input through.
 *
 * Each tapped layer's `call` is shadowed on the instance; `detach` deletes the shadows. tfjs tells no one when training throws: a model
 * that is left attached still predicts, evaluates and saves as it should, because every pass says itself whether it is training
 * (`kwargs.training`) or evaluating (the model's test function is wrapped).
 */
export class ModelTaps {
  private readonly restores: (() => void)[] = [];
  private readonly kept = new Map<Layer, tf.Tensor>();
  private ids: tf.Tensor | null = null;
  private evaluating = false;
  private deferred = false;
  private callHead!: Layer['call'];

  /** @param blocks the blocks to keep, first to last. */
  constructor(
    readonly model: tfl.LayersModel,
    private readonly locations: TapLocations,
    private readonly blocks: readonly Layer[],
    keepInputIds: boolean,
  ) {
    for (const block of blocks) this.tapBlock(block);
    this.deferHead(locations.head);
    if (keepInputIds && locations.embedding !== null) this.tapInputIds(locations.embedding);
    const trained = trainedModel(model);
    this.openTargetCheck(trained);
    this.restores.push(refuseWeights(trained));
    this.wrapTestFunction(trained);
  }

  /**
   * Hands over what the last pass kept; the caller disposes the tensors. Null when no pass came before, or its head made logits.
   */
  take(): Capture | null {
    if (!this.deferred) return null;
    const hiddenStates = this.blocks.map((block) => this.kept.get(block) as tf.Tensor3D);
    const inputIds = this.ids;
    this.kept.clear();
    this.ids = null;
    this.deferred = false;
    return { hiddenStates, inputIds, training: !this.evaluating };
  }

  /** The final norm of rows [R, D]. */
  norm(rows: tf.Tensor2D): tf.Tensor2D {
    const { norm } = this.locations;
    return norm === null ? rows : onRows((inputs) => norm.call(inputs, {}), rows);
  }

  /** The head's logits [R, V] of normed rows [R, D]. */
  project(rows: tf.Tensor2D): tf.Tensor2D {
    return onRows((inputs) => this.callHead(inputs, {}), rows);
  }

  detach(): void {
    for (const restore of this.restores.reverse()) restore();
    this.restores.length = 0;
    this.forget();
  }

  private tapBlock(block: Layer): void {
    this.restores.push(
      shadow(block, 'call', (original) => (inputs: tf.Tensor | tf.Tensor[], kwargs: CallArgs) => {
        const output = original(inputs, kwargs);
        if (kwargs.training === true || this.evaluating) {
          this.kept.get(block)?.dispose();
          this.kept.set(block, tf.keep(tf.clone(Array.isArray(output) ? output[0] : output)));
        }
        return output;
      }),
    );
  }

  private deferHead(head: Layer): void {
    this.restores.push(
      shadow(head, 'call', (original) => {
        this.callHead = original;
        return (inputs: tf.Tensor | tf.Tensor[], kwargs: CallArgs) => this.headCall(original, inputs, kwargs);
      }),
    );
  }

  private headCall(original: Layer['call'], inputs: tf.Tensor | tf.Tensor[], kwargs: CallArgs): tf.Tensor | tf.Tensor[] {
    const input = Array.isArray(inputs) ? inputs[0] : inputs;
    const isHeadCall = input.rank === 3; // a tied embedding is also called with token ids [B, T]
    if (!isHeadCall || !(kwargs.training === true || this.evaluating)) return original(inputs, kwargs);
    this.deferred = true;
    return tf.clone(input);
  }

  private tapInputIds(embedding: Layer): void {
    this.restores.push(
      shadow(embedding, 'call', (original) => (inputs: tf.Tensor | tf.Tensor[], kwargs: CallArgs) => {
        const input = Array.isArray(inputs) ? inputs[0] : inputs;
        if (input.rank === 2 && (kwargs.training === true || this.evaluating)) {
          this.ids?.dispose();
          this.ids = tf.keep(tf.clone(input));
        }
        return original(inputs, kwargs);
      }),
    );
  }

  /** Lets `fit`, `trainOnBatch` and `evaluate` take labels [B, T] against an output [B, T, V]. */
  private openTargetCheck(model: tfl.LayersModel): void {
    const shapes: unknown = Reflect.get(model, 'feedOutputShapes'); // undefined before compile
    if (!Array.isArray(shapes)) return;
    const before: unknown[] = [...shapes];
    shapes.fill(null);
    this.restores.push(() => shapes.splice(0, shapes.length, ...before));
  }

  private wrapTestFunction(model: tfl.LayersModel): void {
    const tester: { makeTestFunction: () => void } = Object(model); // not in tfjs-layers' public types
    this.restores.push(
      shadow(tester, 'makeTestFunction', (original) => () => {
        original();
        const test = Reflect.get(model, 'testFunction') as (data: tf.Tensor[]) => unknown;
        Reflect.set(model, 'testFunction', (data: tf.Tensor[]) => {
          this.evaluating = true;
          try {
            return test(data);
          } finally {
            this.evaluating = false;
          }
        });
      }),
    );
  }

  private forget(): void {
    for (const tensor of this.kept.values()) tensor.dispose();
    this.kept.clear();
    this.ids?.dispose();
    this.ids = null;
    this.deferred = false;
  }
}

/** The model that tfjs trains and tests, and hands to callbacks: a Sequential's inner model, any other model itself. */
export function trainedModel(model: tfl.LayersModel): tfl.LayersModel {
  const inner: unknown = Reflect.get(model, 'model');
  return inner instanceof tfl.LayersModel ? inner : model;
}

/** Calls a layer on rows [R, D] as on the sequence of a batch of one. */
function onRows(call: (inputs: tf.Tensor) => tf.Tensor | tf.Tensor[], rows: tf.Tensor2D): tf.Tensor2D {
  const [count, size] = rows.shape;
  const output = call(tf.reshape(rows, [1, count, size]));
  const single = Array.isArray(output) ? output[0] : output; // [1, R, E]
  return tf.reshape(single, [count, single.shape[2] as number]);
}
