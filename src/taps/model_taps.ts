import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { calledAs } from '../errors';
import type { CallArgs } from '../layers/layer_types';
import { checkTokenIds } from '../ops/token_ids';
import type { VocabularyProjection } from '../vocabulary/vocabulary_projection';
import { type Capture, PassRecorder, sideOf } from './capture';
import { linearHead } from './linear_head';
import { classOf, type Layer, sameSource, type Source } from './model_graph';
import { refuseDroppedLoss, unusedLoss, warnOfOwnTraining } from './own_training';
import { compiledFunctions, hookPasses, openTargetCheck, type PassKind, trainedModel } from './pass_hooks';
import { refuseProbabilities, refuseSeeingAhead } from './probe_model';
import type { RowPath } from './row_path';
import { SiteCalls } from './site_calls';
import type { TapLocations } from './tap_locations';

/** Takes the rows [R, ...] of the response positions out of a tensor [B, T, ...]. */
export type RowsOf = (tensor: tf.Tensor) => tf.Tensor;

/** What a method needs of its taps. */
export interface TapRequest {
  /** The public function that made the method; errors start with it. */
  readonly name: string;
  /** How many blocks before the last to tap. */
  readonly numBlocks: number;
  readonly keepInputIds: boolean;
  /** What the model is compiled with. */
  readonly loss: unknown;
  readonly metrics: readonly unknown[];
  /** Called after the model is compiled again. */
  readonly onCompiled: () => void;
}

/** The taps on each head: a model has one method at a time. */
const owners = new WeakMap<Layer, ModelTaps>();

/**
 * Taps on one model. While attached, in training and in evaluation (never in predict), the outputs of the requested
 * blocks are kept for the loss, and the head passes its input through unless something else needs its logits. In a pass
 * that the user's own code starts, only `deferred` says that nothing does.
 *
 * Each tapped layer's `call` is shadowed on the instance; `detach` removes the shadows. tfjs does not say when training
 * throws. A model that is left attached still predicts, evaluates, saves and trains correctly, because each pass says
 * whether it is training (`kwargs.training`) or evaluating (the model's test function is wrapped).
 */
export class ModelTaps {
  private readonly calls: SiteCalls;
  private readonly restores: (() => void)[] = [];
  private readonly recorder: PassRecorder;
  private pass: PassKind | null = null;
  private projecting = false;
  private deferring = false;
  private seenUntrained = false;
  private passes = 0;
  private taken = 0;
  private live = true;

  /** @throws UnnamedError when the head makes probabilities, or the model sees later tokens. */
  constructor(
    readonly model: tfl.LayersModel,
    readonly locations: TapLocations,
    private readonly request: TapRequest,
  ) {
    const { hiddenStates, head, outputIndex, toHead, toLogits } = locations;
    const tapped = hiddenStates.slice(Math.max(0, hiddenStates.length - 1 - request.numBlocks), -1);
    this.recorder = new PassRecorder(tapped, [...toHead.sides, ...toLogits.sides]);
    this.calls = new SiteCalls(locations.graph.graph, (kwargs) => !this.projecting && this.isTapped(kwargs));
    this.restores.push(() => this.calls.restore());
    try {
      this.watch();
      owners.get(head)?.detach();
      owners.set(head, this);
      refuseProbabilities(locations);
      refuseSeeingAhead(trainedModel(model), locations, (ids) => this.headInputOf(ids));
      this.restores.push(openTargetCheck(trainedModel(model), outputIndex));
      this.restores.push(hookPasses(model, request.name, this));
      warnOfOwnTraining(model, request.name);
    } catch (error) {
      this.detach();
      throw error;
    }
  }

  /** Whether the taps are still on the model: they are removed when another method taps the same head. */
  get attached(): boolean {
    return this.live;
  }

  /**
   * Whether the last pass was neither training nor an evaluation, such as `model.apply` without `{ training: true }`.
   */
  get passWasUntrained(): boolean {
    return this.seenUntrained;
  }

  /** How often the loss has taken a pass. */
  get lossCalls(): number {
    return this.taken;
  }

  /** Hands over what the last pass left; the caller disposes it. Null when there was no pass. */
  take(): Capture | null {
    const capture = this.recorder.take(this.pass !== 'evaluate');
    if (capture === null) return null;
    this.calls.reset();
    this.taken++;
    return capture;
  }

  /** Runs the model in training mode without making logits of all positions: the caller needs only what is kept. */
  deferred(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor | tf.Tensor[] {
    this.deferring = true;
    try {
      return this.model.apply(inputs, { training: true }) as tf.Tensor | tf.Tensor[];
    } finally {
      this.deferring = false;
    }
  }

  /** The head as one matrix; null when it is more than that. */
  get projection(): VocabularyProjection | null {
    return linearHead(this.locations.toLogits.parts);
  }

  /** What the head reads of blocks' outputs, after the final norm: [S * P, D] to [S * P, D], layer after layer. */
  headInputs(rows: tf.Tensor2D, capture: Capture, rowsOf: RowsOf): tf.Tensor2D {
    return this.run(this.locations.toHead, rows, capture, rowsOf, capture.hiddenStates.length, {});
  }

  /** Logits [P, V] of the final layer at the response positions. */
  finalLogits(capture: Capture, rowsOf: RowsOf): tf.Tensor2D {
    return this.run(this.locations.toLogits, rowsOf(capture.headInput) as tf.Tensor2D, capture, rowsOf, 1, {
      training: capture.training,
    });
  }

  /** Logits [S * P, V] of blocks' outputs [S * P, D], layer after layer, through the final norm and the head. */
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

  /** Removes the taps; does nothing the second time. */
  detach(): void {
    if (!this.live) return;
    this.live = false;
    for (const restore of this.restores.reverse()) restore();
    this.restores.length = 0;
    if (owners.get(this.locations.head) === this) owners.delete(this.locations.head);
    this.forget();
  }

  onPassBegin(kind: PassKind): void {
    this.forget();
    this.pass = kind;
    if (kind !== 'evaluate') this.passes++;
  }

  onPassEnd(): void {
    this.forget();
    this.pass = null;
  }

  onCompiled(args: tfl.ModelCompileArgs): void {
    const { name, loss, onCompiled } = this.request;
    refuseDroppedLoss(this.model, name, loss, args);
    onCompiled();
  }

  onFit(): () => void {
    const { passes, taken } = this;
    return () => {
      if (this.live && this.passes > passes && this.taken === taken) throw unusedLoss(this.request.name);
    };
  }

  private forget(): void {
    this.recorder.dispose();
    this.calls.reset();
  }

  /** What the head reads in a pass that trains nothing; the caller disposes it. */
  private headInputOf(ids: tf.Tensor2D): tf.Tensor3D | null {
    this.onPassBegin('evaluate');
    try {
      trainedModel(this.model).apply(ids);
      return tf.clone(this.recorder.get('headInput') as tf.Tensor3D);
    } finally {
      this.onPassEnd();
    }
  }

  private watch(): void {
    const { graph, toHead, toLogits, inputIds } = this.locations;
    for (const source of this.recorder.hiddenStates) {
      const block = graph.maker(source);
      if (block === null) continue;
      const output = block.outputs.findIndex((each) => sameSource(each, source));
      this.calls.on(block, (_inputs, run, again) => {
        const outputs = run();
        if (!again) this.recorder.keep(source, Array.isArray(outputs) ? outputs[output] : outputs);
        return outputs;
      });
    }
    toLogits.parts.forEach((part, index) => {
      const main = toLogits.mainInput(part);
      this.calls.on(part, (inputs, run) => {
        if (index === 0) this.recorder.keep('headInput', inputs[main]);
        return this.isDeferred() ? tf.clone(inputs[main]) : run();
      });
    });
    for (const path of [toHead, toLogits]) {
      // around the head's handlers, which may not run the layer
      for (const part of path.parts) {
        const sides = part.inputs.flatMap((input, i) =>
          path.sides.some((side) => sameSource(side, input)) ? [[input, i] as const] : [],
        );
        if (sides.length === 0) continue;
        this.calls.on(part, (inputs, run) => {
          for (const [side, i] of sides) this.recorder.keep(side, inputs[i]);
          return run();
        });
      }
    }
    if (inputIds === null) return;
    const { site, input } = inputIds;
    const numRows = classOf(site.layer) === 'Embedding' ? (site.layer.weights[0].shape[0] as number) : null;
    if (!this.request.keepInputIds && numRows === null) return;
    this.calls.on(site, (inputs, run) => {
      if (this.request.keepInputIds) this.recorder.keepInputIds(inputs[input]);
      if (numRows !== null) calledAs(this.request.name, () => checkTokenIds(inputs[input], numRows));
      return run();
    });
  }

  private isTapped(kwargs: CallArgs | undefined): boolean {
    const tapped = kwargs?.training === true || this.pass === 'evaluate';
    this.seenUntrained = !tapped;
    return tapped;
  }

  /** Whether only this method's loss and metrics read the logits in this pass, so that the head need not make them. */
  private isDeferred(): boolean {
    const { logitsAreReadElsewhere, outputIndex } = this.locations;
    if (logitsAreReadElsewhere) return false;
    const compiled = compiledFunctions(trainedModel(this.model));
    if (this.pass === 'call' || compiled === null) return this.deferring;
    const { loss, metrics } = this.request;
    return (
      compiled.losses[outputIndex] === loss &&
      compiled.metrics.every(
        ([metric, output]) => output !== outputIndex || metric === loss || metrics.includes(metric),
      )
    );
  }

  /** @param times how many layers' rows there are, each at the same response positions. */
  private run(
    path: RowPath,
    rows: tf.Tensor2D,
    capture: Capture,
    rowsOf: RowsOf,
    times: number,
    kwargs: CallArgs,
  ): tf.Tensor2D {
    const sideRows = (source: Source): tf.Tensor => {
      const side = rowsOf(sideOf(capture, source));
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
