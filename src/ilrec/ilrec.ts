import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import '../register'; // in a bundle nothing else does
import { IlrecCallback } from '../callbacks/ilrec_callback';
import { IlrecError } from '../errors';
import { type FullIlrecOptions, type IlrecOptions, withDefaults } from './ilrec_options';
import { ilrecObjective, type IlrecObjectiveOptions, type IlrecTerms, streamingObjective } from '../losses';
import { isStreamed } from '../vocabulary/vocabulary_tiles';
import { responsePositions, type ResponsePositions } from '../ops/response_rows';
import { stopGradient } from '../ops/stop_gradient';
import { checkItemTokens, checkTokens, labelsOf, rowsAt } from './response_labels';
import { type VocabularyProjection, vocabSizeOf } from '../vocabulary/vocabulary_projection';
import { canStream, rewardEntries } from '../rewards/reward_entries';
import { type Capture, compiledFunctions, findTaps, ModelTaps, requireModel, type RowsOf, trainedModel } from '../taps';
import type { Reward, RewardContext } from '../losses/reward';

export type { Coefficient, IlrecOptions } from './ilrec_options';

export type IlrecMetric = (labels: tf.Tensor, predictions: tf.Tensor) => tf.Tensor;

/** Names of the metrics, in order. */
export const METRIC_NAMES = ['crossEntropy', 'cpo', 'cpd', 'crr', 'numNegatives', 'penaltyMass'] as const;

/** The last step's numbers, read back from the device. */
export type IlrecDiagnostics = Record<(typeof METRIC_NAMES)[number], number> & {
  readonly klPerLayer: readonly number[];
};

export interface IlrecMethod {
  /** For `model.compile`: labels int32 [B, T], already shifted. */
  readonly loss: (labels: tf.Tensor, predictions: tf.Tensor) => tf.Scalar;
  /** For `model.compile`: `crossEntropy`, `cpo`, `cpd`, `crr`, `numNegatives`, `penaltyMass` of the step. */
  readonly metrics: IlrecMetric[];
  /** For `fit` and `fitDataset`: attaches the taps when training starts and takes away what it attached when training ends. */
  readonly callback: tfl.Callback;
  /** Training steps done; `Coefficient` functions get it. Set it to continue a schedule. */
  step: number;
  /** P, response positions of the last batch; 0 before the first. A mean over several batches weighs each with it. */
  readonly numResponsePositions: number;
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

/** One batch's response positions, and what was tapped there. */
interface ResponseBatch {
  readonly taps: ModelTaps;
  readonly found: ResponsePositions;
  readonly labels: tf.Tensor;
  readonly capture: Capture;
  readonly rowsOf: RowsOf;
  /** [S * P, D]; null where no term uses the blocks. */
  readonly hidden: tf.Tensor2D | null;
}

class Ilrec implements IlrecMethod {
  step = 0;
  readonly metrics: IlrecMetric[];
  readonly callback: tfl.Callback = new IlrecCallback(this);
  private readonly options: FullIlrecOptions;
  private taps: ModelTaps | null = null;
  private attachedInFit = false;
  private positions = 0;
  private last: Omit<IlrecTerms, 'total'> | null = null;
  private lastTotal: { labels: tf.Tensor; predictions: tf.Tensor; total: tf.Scalar } | null = null;

  constructor(options: IlrecOptions) {
    this.options = withDefaults(options);
    this.metrics = METRIC_NAMES.map((name) => {
      const metric = (): tf.Tensor => tf.clone(this.lastTerms(name)[name]);
      return Object.defineProperty(metric, 'name', { value: name }); // tfjs names a metric after its function
    });
  }

  attach(model: tfl.LayersModel): void {
    this.attachTo(model);
    this.attachedInFit = false;
  }

  /** For the callback: taps that a training run which threw has left behind are its own again, or make room. @returns whether the taps are the callback's. */
  attachForFit(model: tfl.LayersModel): boolean {
    if (this.attachedInFit && !isTraining(this.taps?.model)) this.detach();
    this.attachedInFit ||= this.attachTo(model);
    return this.attachedInFit;
  }

  beginBatch(): void {
    this.taps?.onPassBegin('train');
  }

  detach(): void {
    this.taps?.detach();
    this.taps = null;
    this.attachedInFit = false;
    this.forget();
  }

  private attachTo(model: tfl.LayersModel): boolean {
    requireModel(model);
    const { taps } = this;
    if (taps?.attached === true) {
      const isSame = trainedModel(taps.model) === trainedModel(model);
      if (isSame && (taps.model === model || trainedModel(model) === model)) return false;
      if (!isSame && (!this.attachedInFit || isTraining(taps.model))) {
        throw new IlrecError(
          `ilrec: this method is attached to model "${taps.model.name}"; detach() it first, or make a second ilrec() for "${model.name}"`,
        );
      }
      this.detach();
    }
    const { numNegativeLayers, reward } = this.options;
    const locations = findTaps(model, this.options.taps, this.outputOf(model));
    if (reward !== undefined && locations.inputIds === null) {
      throw new IlrecError(
        'ilrec: the reward needs the token ids, and no embedding layer was found; set the option taps.embedding',
      );
    }
    if (reward !== undefined && locations.inputIds !== null && locations.inputIds.sources.length > 1) {
      const names = locations.inputIds.sources.map(({ tensor }) => tensor.sourceLayer.name).join(' and ');
      throw new IlrecError(
        `ilrec: the reward needs the token ids, and layer "${locations.embedding?.name}" looks up ${names}; give each an embedding layer of its own, and name that of the tokens with taps.embedding`,
      );
    }
    this.taps = new ModelTaps(model, locations, {
      numBlocks: numNegativeLayers,
      keepInputIds: reward !== undefined,
      loss: this.loss,
      metrics: this.metrics,
      onCompiled: () => {
        this.taps?.detach();
        this.attachTo(model); // another output may be trained now, and a Sequential has another model inside
      },
    });
    return true;
  }

  /** The output that the model is compiled to train with this method; undefined before `compile`. */
  private outputOf(model: tfl.LayersModel): number | undefined {
    const losses = compiledFunctions(trainedModel(model))?.losses ?? [];
    const outputs = [...losses.keys()].filter((i) => losses[i] === this.loss);
    if (outputs.length > 1) {
      const names = outputs.map((i) => trainedModel(model).outputNames[i]);
      throw new IlrecError(
        `ilrec: the loss must be compiled for one output, got ${names.join(', ')}; compile with loss: { ${names[0]}: method.loss, ${names[1]}: ... }`,
      );
    }
    return outputs[0];
  }

  get attached(): boolean {
    return this.taps?.attached ?? false;
  }

  get numResponsePositions(): number {
    return this.positions;
  }

  readonly loss = (labels: tf.Tensor, predictions: tf.Tensor): tf.Scalar => {
    const taps = this.taps;
    const capture = taps?.take() ?? null;
    if (taps === null || capture === null) {
      const again = this.lastTotalOf(labels, predictions);
      if (again !== null) return again;
      throw new IlrecError(
        taps?.attached === true && taps.passWasUntrained
          ? 'ilrec: the loss needs a training pass, got a forward pass without { training: true }; call model.apply(inputs, { training: true })'
          : 'ilrec: the loss found no tapped forward pass; add `callbacks: [method.callback]` to fit or fitDataset, or call method.attach(model) after compile',
      );
    }
    try {
      return tf.tidy(() => {
        const rowLabels = labelsOf(labels, capture.headInput);
        const found = responsePositions(rowLabels, this.options.ignoreIndex);
        this.positions = found.positions.length;
        if (found.positions.length === 0) return this.nothingToLearn(taps, capture, labels, predictions);
        const terms = this.terms(taps, found, rowLabels, capture);
        this.remember(terms, labels, predictions);
        if (capture.training) this.step++;
        return terms.total;
      });
    } finally {
      tf.dispose([...capture.hiddenStates, capture.headInput, ...capture.sides.map(([, side]) => side)]);
      capture.inputIds?.dispose();
    }
  };

  async diagnostics(): Promise<IlrecDiagnostics | null> {
    const { last } = this;
    if (last === null) return null;
    const own = [...METRIC_NAMES, 'klPerLayer' as const].map((name) => tf.clone<tf.Tensor>(last[name])); // the next step disposes the others
    const values = await Promise.all(own.map((tensor) => tensor.data())).finally(() => tf.dispose(own));
    const metrics = METRIC_NAMES.map((name, i) => [name, values[i][0]] as const);
    return {
      ...(Object.fromEntries(metrics) as Record<(typeof METRIC_NAMES)[number], number>),
      klPerLayer: [...values[METRIC_NAMES.length]],
    };
  }

  private terms(taps: ModelTaps, found: ResponsePositions, labels: tf.Tensor, capture: Capture): IlrecTerms {
    const { penalty, thresholdScale, thresholdReference, itemTokens } = this.options;
    const penaltyWeight = this.coefficient('penaltyWeight');
    const distillationWeight = this.coefficient('distillationWeight');
    const rewardWeight = this.coefficient('rewardWeight');
    const coefficients: IlrecObjectiveOptions = {
      penaltyWeight,
      penalty,
      thresholdScale,
      thresholdReference,
      distillationWeight,
      rewardWeight,
      itemTokens,
    };
    const usesLayers =
      capture.hiddenStates.length > 0 && (penaltyWeight !== 0 || distillationWeight !== 0 || rewardWeight !== 0);
    const rowsOf = (tensor: tf.Tensor): tf.Tensor => rowsAt(found, tensor, labels);
    const batch: ResponseBatch = {
      taps,
      found,
      labels,
      capture,
      rowsOf,
      hidden: usesLayers ? this.tappedRows(found, capture, distillationWeight !== 0) : null,
    };
    const head = taps.projection;
    const numRows = found.positions.length * (1 + (usesLayers ? capture.hiddenStates.length : 0));
    const streams =
      head !== null && isStreamed(vocabSizeOf(head), numRows) && (rewardWeight === 0 || canStream(this.options.reward));
    return streams ? this.streamedTerms(batch, head, coefficients) : this.denseTerms(batch, coefficients);
  }

  /** Outputs of the tapped blocks at the response positions, [S * P, D]; off the tape where only CPD would send a gradient there. */
  private tappedRows(found: ResponsePositions, capture: Capture, trained: boolean): tf.Tensor2D {
    const hidden = tf.concat(
      capture.hiddenStates.map((states) => found.rowsOf(states)),
      0,
    ) as tf.Tensor2D;
    return trained ? hidden : stopGradient(hidden);
  }

  /** By way of all logits, [(1 + S) * P, V]. */
  private denseTerms(
    { taps, found, labels, capture, rowsOf, hidden }: ResponseBatch,
    coefficients: IlrecObjectiveOptions,
  ): IlrecTerms {
    const finalLogits = taps.finalLogits(capture, rowsOf); // [P, V]
    checkTokens(found, finalLogits.shape[1], this.options.ignoreIndex);
    checkItemTokens(this.options.itemTokens, finalLogits.shape[1]);
    const logits = hidden === null ? null : taps.earlyExitLogits(hidden, capture, rowsOf); // [S * P, V]
    const ensembleLogits =
      logits === null
        ? null
        : tf.mean<tf.Tensor2D>(
            tf.reshape(stopGradient(logits), [capture.hiddenStates.length, found.positions.length, -1]),
            0,
          ); // [P, V]
    const reward =
      coefficients.rewardWeight === 0
        ? null
        : this.reward(found, labels, capture.inputIds, finalLogits.shape[1], (reward, context) => reward(context)); // [P, V]
    const intermediateLogits = coefficients.distillationWeight === 0 ? null : logits;
    return ilrecObjective(
      { finalLogits, ensembleLogits, intermediateLogits, labels: found.labels, reward },
      coefficients,
    );
  }

  /** Without logits: the head is read tile by tile. */
  private streamedTerms(
    { taps, found, labels, capture, rowsOf, hidden }: ResponseBatch,
    head: VocabularyProjection,
    coefficients: IlrecObjectiveOptions,
  ): IlrecTerms {
    const vocabSize = vocabSizeOf(head);
    checkTokens(found, vocabSize, this.options.ignoreIndex);
    checkItemTokens(this.options.itemTokens, vocabSize);
    const reward =
      coefficients.rewardWeight === 0 ? null : this.reward(found, labels, capture.inputIds, vocabSize, rewardEntries);
    const intermediateHidden = hidden === null ? null : taps.headInputs(hidden, capture, rowsOf); // [S * P, D]
    return streamingObjective(
      {
        finalHidden: rowsOf(capture.headInput) as tf.Tensor2D,
        intermediateHidden,
        head,
        labels: found.positions.map((at) => found.allLabels[at]),
        reward,
      },
      coefficients,
    );
  }

  private reward<T>(
    found: ResponsePositions,
    labels: tf.Tensor,
    inputIds: tf.Tensor | null,
    vocabSize: number,
    read: (reward: Reward, context: RewardContext) => T,
  ): T {
    const { reward } = this.options;
    if (reward === undefined || inputIds === null) {
      throw new IlrecError(
        'ilrec: rewardWeight is above 0 and no reward is given; pass `reward: trieReward({ scorer, trie })`',
      );
    }
    const [batchSize, sequenceLength] = labels.shape;
    return read(reward, {
      inputIds: tf.tidy(() => tf.cast(inputIds, 'int32').dataSync<'int32'>()),
      labels: found.allLabels,
      batchSize,
      sequenceLength,
      positions: found.positions,
      vocabSize,
    });
  }

  /** 0, still connected to the weights, so that a batch without response positions trains nothing and fails nothing. */
  private nothingToLearn(taps: ModelTaps, capture: Capture, labels: tf.Tensor, predictions: tf.Tensor): tf.Scalar {
    const zero = (): tf.Scalar => tf.scalar(0);
    this.remember(
      {
        total: zero(),
        crossEntropy: zero(),
        cpo: zero(),
        cpd: zero(),
        crr: zero(),
        numNegatives: zero(),
        penaltyMass: zero(),
        klPerLayer: tf.tensor1d([]),
      },
      labels,
      predictions,
    );
    const first = (tensor: tf.Tensor): tf.Tensor => tf.slice(tf.reshape(tensor, [-1, ...tensor.shape.slice(2)]), 0, 1);
    return tf.mul(tf.sum(taps.finalLogits(capture, first)), 0) as tf.Scalar;
  }

  private coefficient(name: 'penaltyWeight' | 'distillationWeight' | 'rewardWeight'): number {
    const value = this.options[name];
    return typeof value === 'number' ? value : value(this.step);
  }

  private lastTerms(metric: string): Omit<IlrecTerms, 'total'> {
    if (this.last === null)
      throw new IlrecError(`ilrec: metric ${metric} needs the method's own loss; compile with \`loss: method.loss\``);
    return this.last;
  }

  private remember({ total, ...terms }: IlrecTerms, labels: tf.Tensor, predictions: tf.Tensor): void {
    this.forget();
    for (const tensor of Object.values(terms)) tf.keep(tensor);
    this.last = terms;
    this.lastTotal = { labels, predictions, total: tf.keep(stopGradient(total)) };
  }

  /** The loss once more: with several outputs, tfjs evaluates each output's loss a second time, as a metric. */
  private lastTotalOf(labels: tf.Tensor, predictions: tf.Tensor): tf.Scalar | null {
    const { lastTotal } = this;
    return lastTotal?.labels === labels && lastTotal.predictions === predictions ? tf.clone(lastTotal.total) : null;
  }

  private forget(): void {
    if (this.last !== null) tf.dispose(Object.values(this.last));
    this.lastTotal?.total.dispose();
    this.last = null;
    this.lastTotal = null;
  }
}

function isTraining(model: tfl.LayersModel | undefined): boolean {
  return model !== undefined && Reflect.get(trainedModel(model), 'isTraining') === true;
}
