import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { IlrecCallback } from './callbacks/ilrec_callback';
import { IlrecError } from './errors';
import { ilrecObjective, type IlrecTerms, type Penalty, type ThresholdReference } from './losses';
import { responsePositions, type ResponsePositions } from './ops/response_rows';
import { stopGradient } from './ops/stop_gradient';
import { type Capture, findTaps, ModelTaps, trainedModel, type TapOptions } from './taps';
import type { Reward } from './types';

/** A coefficient: a constant, or a function of the number of training steps done. */
export type Coefficient = number | ((step: number) => number);

export interface IlrecOptions {
  /** k, number of intermediate layers in S = {L-1, ..., L-k}, clamped to L-1. Default 4. */
  numNegativeLayers?: number;
  /** alpha, weight of the penalty on negatives (CPO), >= 0. Default 0.1. */
  penaltyWeight?: Coefficient;
  /** Penalty form. Default 'scale'. */
  penalty?: Penalty;
  /** phi, scale of the threshold that makes a token a negative, > 0. Default 1. */
  thresholdScale?: number;
  /** Whose probability of the label sets the threshold. Default 'final'. */
  thresholdReference?: ThresholdReference;
  /** lambda, weight of the distillation into intermediate layers (CPD), >= 0. Default 0.1. */
  distillationWeight?: Coefficient;
  /** mu, weight of the collaborative reward (CRR), >= 0; needs `reward`. Default 0, or 0.1 when `reward` is given. */
  rewardWeight?: Coefficient;
  /** Mass of each next token by a collaborative-filtering model, for example `trieReward(...)`. */
  reward?: Reward;
  /** Token ids on which CPD compares layers. Default the whole vocabulary. */
  itemTokens?: ArrayLike<number>;
  /** Label of positions that do not count. Default -100. */
  ignoreIndex?: number;
  /** Where blocks, norm and head are, when they are not found by themselves. */
  taps?: TapOptions;
}

export type IlrecMetric = (labels: tf.Tensor, predictions: tf.Tensor) => tf.Tensor;

/** Names of the metrics, in order. */
export const METRIC_NAMES = ['crossEntropy', 'cpo', 'cpd', 'crr', 'numNegatives', 'penaltyMass'] as const;

/** The last step's numbers, read back from the device. */
export type IlrecDiagnostics = Record<(typeof METRIC_NAMES)[number], number> & { readonly klPerLayer: readonly number[] };

export interface IlrecMethod {
  /** For `model.compile`: labels int32 [B, T], already shifted. */
  readonly loss: (labels: tf.Tensor, predictions: tf.Tensor) => tf.Scalar;
  /** For `model.compile`: `crossEntropy`, `cpo`, `cpd`, `crr`, `numNegatives`, `penaltyMass` of the step. */
  readonly metrics: IlrecMetric[];
  /** For `fit` and `fitDataset`: attaches the taps when training starts and takes away what it attached when training ends. */
  readonly callback: tfl.Callback;
  /** Training steps done; `Coefficient` functions get it. Set it to continue a schedule. */
  step: number;
  /** Taps the model; needed by hand-written loops, `trainOnBatch`, `evaluate`, and by `fit` (call it once, after `compile`). */
  attach(model: tfl.LayersModel): void;
  /** Takes the taps away; the model is as before. Does nothing when nothing is attached. */
  detach(): void;
  /** The terms of the last step; null before the first. */
  diagnostics(): Promise<IlrecDiagnostics | null>;
}

/**
 * ILRec (arXiv 2602.17410) for a tfjs causal language model: a loss, metrics and a callback.
 *
 * @throws IlrecError on an option out of range.
 */
export function ilrec(options: IlrecOptions = {}): IlrecMethod {
  return new Ilrec(options);
}

class Ilrec implements IlrecMethod {
  step = 0;
  readonly metrics: IlrecMetric[];
  readonly callback: tfl.Callback = new IlrecCallback(this);
  private readonly options: ReturnType<typeof withDefaults>;
  private taps: ModelTaps | null = null;
  private last: Omit<IlrecTerms, 'total'> | null = null;

  constructor(options: IlrecOptions) {
    this.options = withDefaults(options);
    this.metrics = METRIC_NAMES.map((name) => {
      const metric = (): tf.Tensor => tf.clone(this.lastTerms(name)[name]);
      return Object.defineProperty(metric, 'name', { value: name }); // tfjs names a metric after its function
    });
  }

  attach(model: tfl.LayersModel): void {
    if (this.taps !== null) {
      if (trainedModel(this.taps.model) === trainedModel(model)) return;
      throw new IlrecError(`ilrec: this method is attached to model "${this.taps.model.name}"; detach() it first, or make a second ilrec() for "${model.name}"`);
    }
    const locations = findTaps(model, this.options.taps);
    const { numNegativeLayers, reward } = this.options;
    const lastIntermediate = locations.blocks.length - 1;
    const first = Math.max(0, lastIntermediate - numNegativeLayers);
    if (reward !== undefined && locations.embedding === null) {
      throw new IlrecError('ilrec: the reward needs the token ids, and no embedding layer was found; set the option taps.embedding');
    }
    this.taps = new ModelTaps(model, locations, locations.blocks.slice(first, lastIntermediate), reward !== undefined);
  }

  detach(): void {
    this.taps?.detach();
    this.taps = null;
    this.forget();
  }

  get attached(): boolean {
    return this.taps !== null;
  }

  readonly loss = (labels: tf.Tensor, predictions: tf.Tensor): tf.Scalar => {
    const taps = this.taps;
    const capture = taps?.take() ?? null;
    if (taps === null || capture === null) {
      throw new IlrecError(
        'ilrec: the loss found no tapped forward pass; add `callbacks: [method.callback]` to fit or fitDataset, or call method.attach(model) after compile',
      );
    }
    try {
      return tf.tidy(() => {
        checkLabels(labels, predictions);
        const found = responsePositions(labels, this.options.ignoreIndex);
        if (found.positions.length === 0) return this.nothingToLearn(predictions);
        const terms = this.terms(taps, found, labels, predictions as tf.Tensor3D, capture);
        this.remember(terms);
        if (capture.training) this.step++;
        return terms.total;
      });
    } finally {
      tf.dispose([...capture.hiddenStates]);
      capture.inputIds?.dispose();
    }
  };

  async diagnostics(): Promise<IlrecDiagnostics | null> {
    const { last } = this;
    if (last === null) return null;
    const values = await Promise.all(METRIC_NAMES.map(async (name) => [name, (await last[name].data())[0]] as const));
    return { ...(Object.fromEntries(values) as Record<(typeof METRIC_NAMES)[number], number>), klPerLayer: [...(await last.klPerLayer.data())] };
  }

  private terms(taps: ModelTaps, found: ResponsePositions, labels: tf.Tensor, predictions: tf.Tensor3D, capture: Capture): IlrecTerms {
    const { penalty, thresholdScale, thresholdReference, itemTokens } = this.options;
    const penaltyWeight = this.coefficient('penaltyWeight');
    const distillationWeight = this.coefficient('distillationWeight');
    const rewardWeight = this.coefficient('rewardWeight');
    const layers = capture.hiddenStates.length;
    const rows = found.positions.length;

    const finalLogits = taps.project(found.rowsOf(predictions)); // [P, V]
    let ensembleLogits: tf.Tensor2D | null = null;
    let intermediateLogits: tf.Tensor2D | null = null;
    if (layers > 0 && (penaltyWeight !== 0 || distillationWeight !== 0 || rewardWeight !== 0)) {
      const hidden = tf.concat(capture.hiddenStates.map((states) => found.rowsOf(states)), 0); // [S * P, D]
      const distil = distillationWeight !== 0;
      const normed = taps.norm(distil ? hidden : stopGradient(hidden)); // [S * P, D]
      const logits = taps.project(normed); // [S * P, V]
      ensembleLogits = tf.mean<tf.Tensor2D>(tf.reshape(stopGradient(logits), [layers, rows, -1]), 0); // [P, V]
      if (distil) intermediateLogits = logits;
    }
    const reward = rewardWeight === 0 ? null : this.rewardOf(found, labels, capture.inputIds, finalLogits.shape[1]); // [P, V]
    return ilrecObjective(
      { finalLogits, ensembleLogits, intermediateLogits, labels: found.labels, reward },
      { penaltyWeight, penalty, thresholdScale, thresholdReference, distillationWeight, rewardWeight, itemTokens },
    );
  }

  private rewardOf(found: ResponsePositions, labels: tf.Tensor, inputIds: tf.Tensor | null, vocabSize: number): tf.Tensor2D {
    const { reward } = this.options;
    if (reward === undefined || inputIds === null) {
      throw new IlrecError('ilrec: rewardWeight is above 0 and no reward is given; pass `reward: trieReward({ scorer, trie })`');
    }
    const [batchSize, sequenceLength] = labels.shape;
    return reward({
      inputIds: tf.tidy(() => tf.cast(inputIds, 'int32').dataSync<'int32'>()),
      labels: found.allLabels,
      batchSize,
      sequenceLength,
      positions: found.positions,
      vocabSize,
    });
  }

  /** 0, still connected to the weights, so that a batch without response positions trains nothing and fails nothing. */
  private nothingToLearn(predictions: tf.Tensor): tf.Scalar {
    const zero = (): tf.Scalar => tf.scalar(0);
    this.remember({
      total: zero(), crossEntropy: zero(), cpo: zero(), cpd: zero(), crr: zero(), numNegatives: zero(), penaltyMass: zero(), klPerLayer: tf.tensor1d([]),
    });
    return tf.mul(tf.sum(predictions), 0) as tf.Scalar;
  }

  private coefficient(name: 'penaltyWeight' | 'distillationWeight' | 'rewardWeight'): number {
    const value = this.options[name];
    return typeof value === 'number' ? value : value(this.step);
  }

  private lastTerms(metric: string): Omit<IlrecTerms, 'total'> {
    if (this.last === null) throw new IlrecError(`ilrec: metric ${metric} needs the method's own loss; compile with \`loss: method.loss\``);
    return this.last;
  }

  private remember({ total: _total, ...terms }: IlrecTerms): void {
    this.forget();
    for (const tensor of Object.values(terms)) tf.keep(tensor);
    this.last = terms;
  }

  private forget(): void {
    if (this.last !== null) tf.dispose(Object.values(this.last));
    this.last = null;
  }
}

function withDefaults(options: IlrecOptions): Required<Omit<IlrecOptions, 'reward' | 'itemTokens' | 'taps'>> & Pick<IlrecOptions, 'reward' | 'itemTokens' | 'taps'> {
  const { numNegativeLayers = 4, penaltyWeight = 0.1, penalty = 'scale', thresholdScale = 1, thresholdReference = 'final' } = options;
  const { distillationWeight = 0.1, reward, rewardWeight = reward === undefined ? 0 : 0.1, itemTokens, ignoreIndex = -100, taps } = options;
  if (!Number.isInteger(numNegativeLayers) || numNegativeLayers < 1) {
    throw new IlrecError(`ilrec: numNegativeLayers must be a positive integer, got ${numNegativeLayers}`);
  }
  for (const [name, value] of Object.entries({ penaltyWeight, distillationWeight, rewardWeight })) {
    if (typeof value === 'number' && !(value >= 0)) throw new IlrecError(`ilrec: ${name} must be at least 0, got ${value}`);
  }
  if (!(thresholdScale > 0)) throw new IlrecError(`ilrec: thresholdScale must be above 0, got ${thresholdScale}`);
  if (!['scale', 'paper', 'additive'].includes(penalty)) throw new IlrecError(`ilrec: penalty must be 'scale', 'paper' or 'additive', got '${penalty}'`);
  if (!['final', 'ensemble'].includes(thresholdReference)) {
    throw new IlrecError(`ilrec: thresholdReference must be 'final' or 'ensemble', got '${thresholdReference}'`);
  }
  if (reward === undefined && rewardWeight !== 0) throw new IlrecError('ilrec: rewardWeight is set and no reward is given; pass `reward: trieReward({ scorer, trie })`');
  return { numNegativeLayers, penaltyWeight, penalty, thresholdScale, thresholdReference, distillationWeight, reward, rewardWeight, itemTokens, ignoreIndex, taps };
}

function checkLabels(labels: tf.Tensor, predictions: tf.Tensor): void {
  const [batch, length] = predictions.shape;
  if (predictions.rank !== 3 || labels.rank !== 2 || labels.shape[0] !== batch || labels.shape[1] !== length) {
    throw new IlrecError(`ilrec: labels must be int32 [B, T] beside predictions [B, T, D], got [${labels.shape.join(', ')}] and [${predictions.shape.join(', ')}]`);
  }
}
