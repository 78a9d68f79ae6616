import * as tf from '@tensorflow/tfjs-core';
import { UnnamedError } from '../errors';
import { linear } from '../ops/linear';
import { stopGradient } from '../ops/stop_gradient';
import {
  hiddenSizeOf,
  type LinearHead,
  toProjection,
  trainedParts,
  type VocabularyProjection,
  vocabSizeOf,
} from '../vocabulary/vocabulary_projection';
import { LabelledBatch } from './tapped_batch';

/** A function of hidden states that treats each position alone. It gets the response positions, as [1, R, D]. */
export type RowFunction = (hiddenStates: tf.Tensor3D) => tf.Tensor;

/** What `lossFrom` reads: tensors of a forward pass of your own, and the end of your model. */
export interface LossTensors {
  /**
   * Outputs of the blocks, before the final norm, first to last, [B, T, D] each. Gradient flows. All of them or the last
   * few: the method reads the last and those of S before it.
   */
  hiddenStates: readonly tf.Tensor3D[];
  /**
   * What the head reads of the last block, [B, T, D], where your model gives it after the final norm. `hiddenStates` then
   * ends with the block before the last. Default the norm of the last of `hiddenStates`.
   */
  finalHidden?: tf.Tensor3D;
  /** The final norm, for example `(x) => layer.call(x)`. Default none. */
  norm?: RowFunction | null;
  /**
   * W [V, D], or `{ weight, layout, bias, isFrozen }` (a kernel [D, V] has the layout 'columns'): a large one is read tile
   * by tile. Or a function from [1, R, D] to logits [1, R, V].
   */
  head: LinearHead | RowFunction;
  /** int32 [B, T], already shifted, `ignoreIndex` where nothing is predicted. */
  labels: tf.Tensor;
  /** Token ids, int32 [B, T]. Only a reward and a softmax over items need them. */
  inputIds?: tf.Tensor;
  /** Whether it is a training step, which schedules count; false for validation. Default true. */
  training?: boolean;
}

const OPTIONS: readonly string[] = [
  'hiddenStates',
  'finalHidden',
  'norm',
  'head',
  'labels',
  'inputIds',
  'training',
] satisfies (keyof LossTensors)[];

export interface GivenBatchOptions {
  /** How many layers before the last the method reads. */
  readonly numLayers: number;
  /** Who reads the token ids; null when nobody does. */
  readonly inputIdsReader: string | null;
  readonly ignoreIndex: number;
  readonly step: number;
}

/** A batch of tensors that the user's own code has made; see `TappedBatch`. */
export class GivenBatch extends LabelledBatch {
  readonly training: boolean;
  readonly step: number;
  private readonly final: tf.Tensor3D;
  /** Whether `final` is behind the norm. */
  private readonly isNormed: boolean;
  private readonly layers: readonly tf.Tensor3D[];
  private readonly norm: RowFunction | null;
  private readonly project: VocabularyProjection | RowFunction;
  private readonly ids: tf.Tensor | null;

  /** @throws UnnamedError when tensors do not fit together, or one that the method needs is missing. */
  constructor(given: LossTensors, { numLayers, inputIdsReader, ignoreIndex, step }: GivenBatchOptions) {
    checkOptions(given);
    const { hiddenStates, finalHidden, norm = null, head, labels, inputIds, training = true } = given;
    checkStates([...hiddenStates, ...(finalHidden === undefined ? [] : [finalHidden])]);
    const before = finalHidden === undefined ? hiddenStates.slice(0, -1) : hiddenStates;
    if (numLayers > 0 && before.length === 0)
      throw new UnnamedError(
        'hiddenStates must have the outputs of the blocks before the last too, which the method reads, got ' +
          `${hiddenStates.length}${finalHidden === undefined ? '' : ' beside finalHidden'}`,
      );
    super(labels, finalHidden ?? hiddenStates[hiddenStates.length - 1], ignoreIndex);
    this.training = training;
    this.step = step;
    this.norm = norm;
    this.layers = numLayers === 0 ? [] : before.slice(-numLayers);
    this.project = typeof head === 'function' ? head : toProjection(head);
    this.final = finalHidden ?? hiddenStates[hiddenStates.length - 1];
    this.isNormed = finalHidden !== undefined;
    this.ids = inputIds ?? null;
    if (inputIdsReader !== null && inputIds === undefined)
      throw new UnnamedError(`${inputIdsReader} needs the token ids, got none; pass inputIds [B, T]`);
    if (inputIds !== undefined && inputIds.size !== this.allLabels.length)
      throw new UnnamedError(
        `inputIds must be [${this.batchSize}, ${this.sequenceLength}] as the labels are, got ` +
          `[${inputIds.shape.join(', ')}]`,
      );
    const size = this.final.shape[2];
    if (typeof this.project !== 'function' && hiddenSizeOf(this.project) !== size)
      throw new UnnamedError(
        `head must read hidden states of size ${size}, got a weight [${this.project.weight.shape.join(', ')}] in ` +
          `${this.project.layout}; layout is 'rows' for [V, D] and 'columns' for [D, V]`,
      );
  }

  get numLayers(): number {
    return this.layers.length;
  }

  get inputIds(): Int32Array {
    const { ids } = this;
    if (ids === null) throw new UnnamedError('the token ids are not known; pass inputIds [B, T]');
    return tf.tidy(() => tf.cast(ids, 'int32').dataSync<'int32'>());
  }

  get head(): VocabularyProjection | null {
    if (typeof this.project === 'function') return null;
    this.checkLabels(vocabSizeOf(this.project));
    return this.project;
  }

  finalHidden(): tf.Tensor2D {
    const rows = this.rowsOf(this.final) as tf.Tensor2D;
    return this.isNormed ? rows : this.normed(rows);
  }

  finalLogits(): tf.Tensor2D {
    const logits = this.logitsOf(this.finalHidden());
    this.checkLabels(logits.shape[1]);
    return logits;
  }

  hiddenStates(): tf.Tensor2D {
    return this.rowsOfLayers(this.layers);
  }

  earlyExitHidden(hiddenStates = this.hiddenStates()): tf.Tensor2D {
    return this.normed(hiddenStates);
  }

  earlyExitLogits(hiddenStates = this.hiddenStates()): tf.Tensor2D {
    return this.logitsOf(this.normed(hiddenStates));
  }

  zero(): tf.Scalar {
    const first = tf.slice(tf.reshape(this.final, [-1, this.final.shape[2]]), 0, 1) as tf.Tensor2D;
    return tf.mul(tf.sum(this.logitsOf(this.isNormed ? first : this.normed(first))), 0) as tf.Scalar;
  }

  private normed(rows: tf.Tensor2D): tf.Tensor2D {
    return this.norm === null ? rows : onRows(this.norm, rows, 'norm');
  }

  private logitsOf(rows: tf.Tensor2D): tf.Tensor2D {
    if (typeof this.project === 'function') return onRows(this.project, rows, 'head');
    const { weight, layout, bias } = this.project;
    const trained = trainedParts(this.project);
    const logits = linear(rows, trained.weight ? weight : stopGradient(weight), layout === 'rows') as tf.Tensor2D;
    return bias === null ? logits : tf.add(logits, trained.bias ? bias : stopGradient(bias));
  }
}

/** @throws UnnamedError when the function does not keep the positions. */
function onRows(run: RowFunction, rows: tf.Tensor2D, option: string): tf.Tensor2D {
  const [count, size] = rows.shape;
  const made: unknown = run(tf.reshape(rows, [1, count, size]));
  if (!(made instanceof tf.Tensor) || made.rank !== 3 || made.shape[0] !== 1 || made.shape[1] !== count)
    throw new UnnamedError(
      `${option} must map [1, R, D] to [1, R, E], got ${made instanceof tf.Tensor ? `[${made.shape.join(', ')}]` : typeof made} for [1, ${count}, ${size}]`,
    );
  return tf.reshape(made, [count, made.shape[2] as number]);
}

function checkOptions(given: LossTensors): void {
  if (typeof given !== 'object' || given === null)
    throw new UnnamedError(`lossFrom needs { ${OPTIONS.join(', ')} }, got ${String(given)}`);
  const unknown = Object.keys(given).find((option) => !OPTIONS.includes(option));
  if (unknown !== undefined) throw new UnnamedError(`lossFrom reads ${OPTIONS.join(', ')}, got ${unknown}`);
  const { norm = null, labels, hiddenStates } = given;
  if (!Array.isArray(hiddenStates))
    throw new UnnamedError(`hiddenStates must be a list of tensors [B, T, D], got ${typeof hiddenStates}`);
  if (norm !== null && typeof norm !== 'function')
    throw new UnnamedError(
      `norm must be a function of hidden states, or null, got ${typeof norm}; pass (x) => norm(x)`,
    );
  if (!((labels as unknown) instanceof tf.Tensor))
    throw new UnnamedError(`labels must be a tensor, int32 [B, T], got ${typeof labels}`);
}

/** @throws UnnamedError unless all are [B, T, D] of the same sizes. */
function checkStates(states: readonly tf.Tensor3D[]): void {
  const shapes = states.map((tensor: unknown) => (tensor instanceof tf.Tensor ? tensor.shape : null));
  const [first] = shapes;
  const fits = (shape: number[] | null): boolean => shape?.length === 3 && shape.join() === first?.join();
  const wrong = shapes.findIndex((shape) => !fits(shape));
  if (states.length > 0 && wrong < 0) return;
  const got = shapes.map((shape) => (shape === null ? 'no tensor' : `[${shape.join(', ')}]`)).join(', ');
  throw new UnnamedError(
    `hiddenStates and finalHidden must be tensors [B, T, D] of the same shape, got ${got === '' ? 'none' : got}`,
  );
}
