import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import type { CallArgs } from '../layers/layer_types';
import type { VocabularyProjection } from '../vocabulary/vocabulary_projection';
import { linearHead } from './linear_head';
import { type Layer, sameSource, type Source } from './model_graph';
import { compiledFunctions, hookPasses, openTargetCheck, trainedModel } from './pass_hooks';
import { refuseProbabilities, refuseSeeingAhead } from './probe_model';
import type { RowPath } from './row_path';
import { SiteCalls } from './site_calls';
import type { TapLocations } from './tap_locations';

/** What one forward pass left for the loss. */
export interface Capture {
  /** Outputs of the tapped blocks, first to last, [B, T, D] each. */
  readonly hiddenStates: readonly tf.Tensor3D[];
  /** What the head read, [B, T, D]. */
  readonly headInput: tf.Tensor3D;
  /** Other tensors that the layers behind the last block read, [B, T, ...] each. */
  readonly sides: readonly (readonly [Source, tf.Tensor])[];
  /** Token ids [B, T]; null where they were not asked for. */
  readonly inputIds: tf.Tensor | null;
  /** Whether the pass was a training pass (an evaluation otherwise). */
  readonly training: boolean;
}

/** Takes the rows [R, ...] of the response positions out of a tensor [B, T, ...]. */
export type RowsOf = (tensor: tf.Tensor) => tf.Tensor;

/** What a method needs of its taps. */
export interface TapRequest {
  /** How many blocks before the last to tap. */
  readonly numBlocks: number;
  readonly keepInputIds: boolean;
  /** What the model is compiled with. */
  readonly loss: unknown;
  readonly metrics: readonly unknown[];
  /** Called after the model is compiled again. */
  readonly onCompiled: () => void;
}

/** Of each head the taps on it: a model has one method at a time. */
const owners = new WeakMap<Layer, ModelTaps>();

/**
 * Taps on one model: while attached, in training and in evaluation (never in predict), the outputs of the blocks asked for are kept for
 * the loss, and the head passes its input through, unless something else needs its logits.
 *
 * Each tapped layer's `call` is shadowed on the instance; `detach` takes the shadows away. tfjs tells no one when training throws: a model
 * that is left attached still predicts, evaluates, saves and trains as it should, because every pass says itself whether it is training
 * (`kwargs.training`) or evaluating (the model's test function is wrapped).
 */
export class ModelTaps {
  private readonly calls: SiteCalls;
  private readonly restores: (() => void)[] = [];
  private readonly kept = new Map<string, tf.Tensor>();
  private readonly hiddenStates: readonly Source[];
  private pass: 'call' | 'train' | 'evaluate' | null = null;
  private projecting = false;
  private seenUntrained = false;
  private live = true;

  constructor(
    readonly model: tfl.LayersModel,
    readonly locations: TapLocations,
    private readonly request: TapRequest,
  ) {
    const { hiddenStates, head, outputIndex } = locations;
    this.hiddenStates = hiddenStates.slice(Math.max(0, hiddenStates.length - 1 - request.numBlocks), -1);
    this.calls = new SiteCalls(locations.graph.graph, (kwargs) => !this.projecting && this.isTapped(kwargs));
    this.restores.push(() => this.calls.restore());
    try {
      this.watch();
      owners.get(head)?.detach();
      owners.set(head, this);
      refuseProbabilities(locations);
      refuseSeeingAhead(trainedModel(model), locations, (ids) => this.headInputOf(ids));
      this.restores.push(openTargetCheck(trainedModel(model), outputIndex));
      this.restores.push(hookPasses(model, this));
    } catch (error) {
      this.detach();
      throw error;
    }
  }

  /** Whether the taps are still on the model: another method's taps on the same head take their place. */
  get attached(): boolean {
    return this.live;
  }

  /** Whether the last pass was neither training nor an evaluation, as `model.apply` is without `{ training: true }`. */
  get passWasUntrained(): boolean {
    return this.seenUntrained;
  }

  /** Hands over what the last pass kept; the caller disposes it. Null when no pass came before. */
  take(): Capture | null {
    const headInput = this.kept.get('headInput');
    const hiddenStates = this.hiddenStates.map((source) => this.kept.get(keyOf(source)));
    if (headInput === undefined || hiddenStates.includes(undefined)) return null;
    const sides = this.sides.map((source) => [source, this.kept.get(keyOf(source)) as tf.Tensor] as const);
    const inputIds = this.kept.get('inputIds') ?? null;
    const training = this.pass !== 'evaluate';
    this.kept.clear();
    this.calls.reset();
    return {
      hiddenStates: hiddenStates as tf.Tensor3D[],
      headInput: headInput as tf.Tensor3D,
      sides,
      inputIds,
      training,
    };
  }

  /** The head as one matrix, if it is no more than that; null otherwise. */
  get projection(): VocabularyProjection | null {
    return linearHead(this.locations.toLogits.parts);
  }

  /** What the head reads of blocks' outputs, by way of the final norm: [S * P, D] both, layer after layer. */
  headInputs(rows: tf.Tensor2D, capture: Capture, rowsOf: RowsOf): tf.Tensor2D {
    return this.run(this.locations.toHead, rows, capture, rowsOf, capture.hiddenStates.length, {});
  }

  /** Logits [P, V] of the final layer at the response positions. */
  finalLogits(capture: Capture, rowsOf: RowsOf): tf.Tensor2D {
    return this.run(this.locations.toLogits, rowsOf(capture.headInput) as tf.Tensor2D, capture, rowsOf, 1, {
      training: capture.training,
    });
  }

  /** Logits [S * P, V] of blocks' outputs [S * P, D], layer after layer, by way of the final norm. */
  earlyExitLogits(rows: tf.Tensor2D, capture: Capture, rowsOf: RowsOf): tf.Tensor2D {
    return this.run(
      this.locations.toLogits,
      this.headInputs(rows, capture, rowsOf),
      capture,
      rowsOf,
      capture.hiddenStates.length,
      {},
    );
  }

  detach(): void {
    if (!this.live) return;
    this.live = false;
    for (const restore of this.restores.reverse()) restore();
    this.restores.length = 0;
    if (owners.get(this.locations.head) === this) owners.delete(this.locations.head);
    this.forget();
  }

  onPassBegin(kind: 'call' | 'train' | 'evaluate'): void {
    this.forget();
    this.pass = kind;
  }

  onPassEnd(): void {
    this.forget();
    this.pass = null;
  }

  onCompiled(): void {
    this.request.onCompiled();
  }

  /** Disposes what a pass left that nobody took: one that threw, say. */
  forget(): void {
    for (const tensor of this.kept.values()) tensor.dispose();
    this.kept.clear();
    this.calls.reset();
  }

  /** What the head reads, of a pass in which nothing is trained; the caller disposes it. */
  private headInputOf(ids: tf.Tensor2D): tf.Tensor3D | null {
    this.onPassBegin('evaluate');
    try {
      trainedModel(this.model).apply(ids);
      return tf.clone(this.kept.get('headInput') as tf.Tensor3D);
    } finally {
      this.onPassEnd();
    }
  }

  private get sides(): Source[] {
    const { toHead, toLogits } = this.locations;
    return [...toHead.sides, ...toLogits.sides];
  }

  private watch(): void {
    const { graph, toHead, toLogits, inputIds } = this.locations;
    for (const source of this.hiddenStates) {
      const block = graph.maker(source);
      if (block === null) continue;
      const output = block.outputs.findIndex((each) => sameSource(each, source));
      this.calls.on(block, (_inputs, run, again) => {
        const outputs = run();
        if (!again) this.keep(keyOf(source), Array.isArray(outputs) ? outputs[output] : outputs);
        return outputs;
      });
    }
    toLogits.parts.forEach((part, at) => {
      const main = toLogits.mainInput(part);
      this.calls.on(part, (inputs, run) => {
        if (at === 0) this.keep('headInput', inputs[main]);
        return this.isDeferred() ? tf.clone(inputs[main]) : run();
      });
    });
    for (const path of [toHead, toLogits]) {
      // around the head's handlers, which may not run the layer
      for (const part of path.parts) {
        const sides = part.inputs.flatMap((input, i) =>
          path.sides.some((side) => sameSource(side, input)) ? [[keyOf(input), i] as const] : [],
        );
        if (sides.length === 0) continue;
        this.calls.on(part, (inputs, run) => {
          for (const [key, i] of sides) this.keep(key, inputs[i]);
          return run();
        });
      }
    }
    if (this.request.keepInputIds && inputIds !== null) {
      this.calls.on(inputIds.site, (inputs, run) => {
        const ids = inputs[inputIds.input];
        tf.tidy(() => this.keep('inputIds', tf.getBackend().startsWith('webgpu') ? ownCopy(ids) : ids));
        return run();
      });
    }
  }

  /** A clone stays on the tape and outlives a nested model's tidy and an evaluation's freeing of what it has used. */
  private keep(key: string, tensor: tf.Tensor): void {
    this.kept.get(key)?.dispose();
    this.kept.set(key, tf.keep(tf.clone(tensor)));
  }

  private isTapped(kwargs: CallArgs | undefined): boolean {
    const tapped = kwargs?.training === true || this.pass === 'evaluate';
    this.seenUntrained = !tapped;
    return tapped;
  }

  /**
   * Whether nothing but the loss reads the logits in this pass, so that they need not be made: no other layer or output, no metric and no
   * loss of someone else's.
   */
  private isDeferred(): boolean {
    const { logitsAreReadElsewhere, outputIndex } = this.locations;
    if (logitsAreReadElsewhere) return false;
    const compiled = compiledFunctions(trainedModel(this.model));
    if (this.pass === 'call' || compiled === null) return true;
    const { loss, metrics } = this.request;
    return (
      compiled.losses[outputIndex] === loss &&
      compiled.metrics.every(
        ([metric, output]) => output !== outputIndex || metric === loss || metrics.includes(metric),
      )
    );
  }

  private run(
    path: RowPath,
    rows: tf.Tensor2D,
    capture: Capture,
    rowsOf: RowsOf,
    times: number,
    kwargs: CallArgs,
  ): tf.Tensor2D {
    const sideRows = (source: Source): tf.Tensor => {
      const side = rowsOf(capture.sides.find(([side]) => sameSource(side, source))?.[1] as tf.Tensor);
      return times === 1 ? side : tf.tile(side, [times, ...side.shape.slice(1).map(() => 1)]);
    };
    const before = this.projecting;
    this.projecting = true;
    try {
      return path.run(rows, sideRows, kwargs);
    } finally {
      this.projecting = before;
    }
  }
}

/** Names a tensor of the graph among those kept in a pass. */
function keyOf({ site, index, tensor }: Source): string {
  return `${site === null ? `input ${tensor.id}` : site.id} ${index}`;
}

/** Token ids that stay on the CPU: what a layer reads goes to the device, from where WebGPU cannot read it back at once. */
function ownCopy(ids: tf.Tensor): tf.Tensor {
  return tf.tensor(Int32Array.from(ids.dataSync()), ids.shape, 'int32');
}
