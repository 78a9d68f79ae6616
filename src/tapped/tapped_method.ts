import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import '../register'; // in a bundle nothing else does
import { IlrecCallback } from '../callbacks/ilrec_callback';
import { calledAs, IlrecError, UnnamedError } from '../errors';
import { allowMixedCallbacks } from '../callbacks/mixed_callbacks';
import { countPositions, takeCountedPositions } from '../ops/counted_positions';
import { checkTapOptions, disposeCapture, type TapOptions } from '../taps';
import type { Batch } from '../training/batches';
import { Attachment, type TapDescription } from './attachment';
import { type IlrecMetric, LastStep, type LossTerms } from './last_step';
import { leaveUnsaved } from './saved_training';
import { GivenBatch, type LossTensors } from './given_batch';
import { type LabelledBatch, ResponseBatch, type TappedBatch } from './tapped_batch';

export interface TappedMethodOptions<Metric extends string = string> {
  /** The name of your method. Its errors start with it. */
  name: string;
  /**
   * The loss of one batch, as a function of what the tapped model made at the response positions. Runs in a tidy, in
   * training and in evaluation.
   */
  loss: (batch: TappedBatch) => { readonly total: tf.Tensor } & Readonly<Record<Metric, tf.Tensor>>;
  /** Names of the scalars that `loss` returns beside `total`; each becomes a metric. Default none. */
  metrics?: readonly Metric[];
  /**
   * S, how many layers before the last to tap, the deepest ones; at most all of them. 0 taps only what the head reads.
   * Default 0.
   */
  numLayers?: number;
  /** Whether `loss` reads `batch.inputIds`. Default false. */
  inputIds?: boolean;
  /** Label of positions that do not count. Default -100. */
  ignoreIndex?: number;
  /** Where blocks, norm and head are, for models in which they cannot be found. */
  taps?: TapOptions;
}

/** What `lossFrom` returns. */
export interface LossAndMetrics {
  /** Scalar. Gradient flows. */
  readonly loss: tf.Scalar;
  /** The terms by name, scalars. They are the method's own and last until its next loss or `detach`. */
  readonly metrics: Readonly<Record<string, tf.Scalar>>;
}

/** A way to train a causal language model: what goes to `compile` and `fit`. */
export interface TappedMethod {
  /**
   * For `model.compile`. Labels are int32 [B, T], already shifted, `ignoreIndex` where nothing is predicted. In a loop of
   * your own, `loss(labels, model.apply(inputs, { training: true }))` is the same as `lossOf`, which is faster.
   */
  readonly loss: (labels: tf.Tensor, predictions: tf.Tensor) => tf.Scalar;
  /**
   * For `model.compile`: terms of the last step. `model.save(..., { includeOptimizer: true })` leaves them and the loss
   * out; compile the loaded model again, with `optimizer: loaded.optimizer`.
   */
  readonly metrics: IlrecMetric[];
  /**
   * For `fit` and `fitDataset`: attaches the taps when training starts, and detaches what it attached when training
   * ends. In a list it may stand anywhere, beside plain objects and instances: `[{ onEpochEnd }, method.callback]`.
   */
  readonly callback: tfl.Callback;
  /** Training steps done, which schedules depend on. Evaluation does not count. Set it to resume. */
  step: number;
  /** What the method must remember over a restart beside its steps, as plain data; only where there is something. */
  readonly state?: { read(): Promise<unknown>; write(state: unknown): void };
  /**
   * Makes the batch that a step trains on, for methods that learn from what the model writes at that moment; only where
   * there is something to make. `trainModel` calls it before each step, a loop of your own must.
   */
  prepareBatch?(batch: Batch, model: tfl.LayersModel): Promise<Batch>;
  /** P, response positions of the last batch; 0 before the first. The weight of a batch in a mean over several. */
  readonly numResponsePositions: number;
  /**
   * Taps the model, until `detach`. Hand-written loops, `trainOnBatch`, `evaluate` and `fit` need it; call it once,
   * after `compile`.
   *
   * @throws IlrecError when the model cannot be tapped, or the method is attached to another one.
   */
  attach(model: tfl.LayersModel): void;
  /**
   * Names the layers of a model that the method would tap; changes nothing.
   *
   * @throws IlrecError when they cannot be found: it says why, and which option names them.
   */
  describe(model: tfl.LayersModel): TapDescription;
  /**
   * The loss of a batch, for loops of your own: runs the attached model in training mode and never makes its logits of
   * all positions. Gradient flows to the model's weights.
   *
   * @param inputs token ids, int32 [B, T], or the tensors of all of the model's inputs.
   * @param labels int32 [B, T], as for `loss`.
   * @returns scalar; the caller disposes it.
   * @throws IlrecError when no model is attached.
   */
  lossOf(inputs: tf.Tensor | tf.Tensor[], labels: tf.Tensor): tf.Scalar;
  /**
   * The loss and the metrics of a forward pass of your own, for a model that is no `tf.LayersModel`: nothing is attached.
   * Gradient flows to the hidden states, to the weights of `norm` and to the head.
   *
   * @param tensors see `LossTensors`.
   * @returns the loss, which the caller disposes, and the metrics, which the method disposes; see `LossAndMetrics`.
   * @throws IlrecError when tensors do not fit together, or one that the method needs is missing.
   */
  lossFrom(tensors: LossTensors): LossAndMetrics;
  /** Removes the taps, which leaves the model unchanged. Does nothing when nothing is attached. */
  detach(): void;
}

/**
 * Makes a training method from your own loss over a model's response positions. It has what `ilrec()` has: loss,
 * metrics, callback, attach and detach.
 *
 * The method taps the model. In training the head makes no logits for all positions; your loss asks for those of the P
 * response positions, of the last layer and of the layers before it. This works with every tfjs causal language model
 * that `ilrec()` takes.
 *
 * @param options see `TappedMethodOptions`.
 * @returns what `compile` and `fit` take.
 * @throws IlrecError on an option out of range, or one that does not exist.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { causalLM, crossEntropy, tappedMethod } from 'tfjs-ilrec';
 *
 * // Deep supervision: the layers before the last learn to predict, too.
 * const method = tappedMethod({
 *   name: 'deepSupervision',
 *   numLayers: 2,
 *   metrics: ['last', 'early'],
 *   loss: (batch) => {
 *     const last = crossEntropy(batch.finalLogits(), batch.labels);
 *     const early = crossEntropy(batch.earlyExitLogits(), tf.tile(batch.labels, [batch.numLayers]));
 *     return { total: tf.add(last, tf.mul(0.3, early)), last, early };
 *   },
 * });
 *
 * const model = causalLM({ vocabSize: 11, hiddenSize: 8, numHiddenLayers: 3, numAttentionHeads: 2 });
 * model.compile({ optimizer: tf.train.adam(0.01), loss: method.loss, metrics: method.metrics });
 * method.attach(model);
 * const inputIds = tf.tensor2d([[1, 2, 3, 4]], [1, 4], 'int32');
 * const labels = tf.tensor2d([[-100, 3, 4, 5]], [1, 4], 'int32');
 * const { history } = await model.fit(inputIds, labels, { epochs: 3, verbose: 0 });
 * method.detach();
 * console.log(Object.keys(history)); // [ 'loss', 'last', 'early' ]
 * console.log(Number(history.loss[2]) < Number(history.loss[0])); // true
 * ```
 */
export function tappedMethod<Metric extends string = never>(options: TappedMethodOptions<Metric>): TappedMethod {
  return calledAs('tappedMethod', () => {
    refuseUnknown(options, OPTIONS);
    return createTappedMethod({ ...options, inputIdsReader: options.inputIds === true ? 'the loss' : null }).method;
  });
}

const OPTIONS = [
  'name',
  'loss',
  'metrics',
  'numLayers',
  'inputIds',
  'ignoreIndex',
  'taps',
] satisfies (keyof TappedMethodOptions)[];

/** @throws UnnamedError on an option that does not exist. */
export function refuseUnknown(options: object, known: readonly string[]): void {
  const unknown = Object.keys(options).find((option) => !known.includes(option));
  if (unknown !== undefined) throw new UnnamedError(`options must be among ${known.join(', ')}, got ${unknown}`);
}

interface CreateOptions<Metric extends string> extends Omit<TappedMethodOptions<Metric>, 'inputIds'> {
  /** Who reads the token ids; null when nobody does. */
  readonly inputIdsReader: string | null;
  /** See `TappedMethod`. */
  readonly state?: TappedMethod['state'];
  /** Frees what the loss keeps between steps. */
  readonly onDetach?: () => void;
}

/**
 * The method, and its last step for a caller who reads more of it than the metrics.
 *
 * @throws UnnamedError on an option out of range.
 */
export function createTappedMethod<Metric extends string>(
  options: CreateOptions<Metric>,
): { method: TappedMethod; last: LastStep } {
  const {
    name,
    loss: givenLoss,
    metrics: names = [],
    numLayers = 0,
    inputIdsReader,
    ignoreIndex = -100,
    taps,
  } = options;
  const { state, onDetach } = options;
  if (typeof name !== 'string' || name === '') throw new UnnamedError(`name must be a string, got ${String(name)}`);
  if (typeof givenLoss !== 'function') throw new UnnamedError(`loss must be a function, got ${typeof givenLoss}`);
  if (!(numLayers === Infinity || (Number.isInteger(numLayers) && numLayers >= 0)))
    throw new UnnamedError(`numLayers must be 0, a positive integer or Infinity, got ${numLayers}`);
  checkTapOptions(taps);
  const last = new LastStep(name);
  const metrics = names.map((term) => last.metric(term));
  let numResponsePositions = 0;

  const termsOf = (batch: LabelledBatch): LossTerms => {
    if (batch.positions.length === 0) {
      return { ...Object.fromEntries(names.map((term) => [term, tf.scalar(0)])), total: batch.zero() };
    }
    const terms: LossTerms = { ...givenLoss(batch) };
    const missing = ['total', ...names].find((term) => !(terms[term] instanceof tf.Tensor));
    if (missing !== undefined)
      throw new UnnamedError(`loss must return a tensor for each of total, ${names.join(', ')}, got no ${missing}`);
    return terms;
  };

  const lossOfBatch = (makeBatch: () => LabelledBatch, labels: tf.Tensor, predictions: tf.Tensor): tf.Scalar =>
    tf.tidy(() =>
      calledAs(name, () => {
        const batch = makeBatch();
        numResponsePositions = batch.positions.length;
        const terms = termsOf(batch);
        last.remember(terms, labels, predictions);
        if (batch.training) countPositions(numResponsePositions);
        if (batch.training && numResponsePositions > 0) method.step++;
        return terms.total as tf.Scalar;
      }),
    );

  const loss = (labels: tf.Tensor, predictions: tf.Tensor): tf.Scalar => {
    const { taps } = attachment;
    const capture = taps?.take() ?? null;
    if (taps === null || capture === null) {
      const again = last.totalOf(labels, predictions);
      if (again !== null) return again;
      throw new IlrecError(
        taps?.attached === true && taps.passWasUntrained
          ? `${name}: the loss needs a training pass, got a forward pass without { training: true }; call method.lossOf(inputs, labels) or model.apply(inputs, { training: true })`
          : `${name}: the loss found no tapped forward pass; add \`callbacks: [method.callback]\` to fit or fitDataset, or call method.attach(model) after compile`,
      );
    }
    try {
      const batch = (): LabelledBatch => new ResponseBatch({ taps, capture, labels, ignoreIndex, step: method.step });
      return lossOfBatch(batch, labels, predictions);
    } finally {
      disposeCapture(capture);
    }
  };

  allowMixedCallbacks();
  leaveUnsaved([loss, ...metrics]);
  const attachment = new Attachment({
    name,
    numBlocks: numLayers,
    inputIdsReader,
    taps,
    loss,
    metrics,
    onDetach: () => {
      last.forget();
      takeCountedPositions();
      onDetach?.();
    },
  });
  const method: TappedMethod = {
    step: 0,
    loss,
    metrics,
    callback: new IlrecCallback(attachment),
    ...(state === undefined ? {} : { state }),
    get numResponsePositions() {
      return numResponsePositions;
    },
    attach: (model) => attachment.attach(model),
    describe: (model) => attachment.describe(model),
    lossOf(inputs, labels) {
      const { taps } = attachment;
      if (taps?.attached !== true)
        throw new IlrecError(`${name}: lossOf needs an attached model, got none; call method.attach(model) first`);
      return tf.tidy(() => loss(labels, [taps.deferred(inputs)].flat()[0]));
    },
    lossFrom(tensors) {
      const options = { numLayers, inputIdsReader, ignoreIndex, step: method.step };
      const total = lossOfBatch(() => new GivenBatch(tensors, options), tensors?.labels, tensors?.labels);
      return { loss: total, metrics: last.of(names) };
    },
    detach: () => attachment.detach(),
  };
  return { method, last };
}
