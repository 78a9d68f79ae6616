import { readWeights, writeWeights } from '../checkpoints/training_snapshot';
import type { TensorData } from '../safetensors/safetensors';
import type { TrainingCallback, TrainingState } from '../training/training_callback';

/** The metrics of one evaluation, by name. */
export type Evaluation = Readonly<Record<string, number>>;

/** An evaluation, and the state of the run at that time. */
export interface EvaluationRecord {
  readonly step: number;
  /** Number of whole epochs done. */
  readonly epochs: number;
  readonly metrics: Evaluation;
}

/** What early stopping must remember over a restart, as plain data, except the best weights. */
export interface EarlyStoppingState {
  evaluations: EvaluationRecord[];
  /** Best value so far; null before the first evaluation. */
  best: number | null;
  /** Step of the best evaluation. */
  bestStep: number;
  /** Evaluations since the best one. */
  waited: number;
}

/** The name under which a training snapshot holds this state. */
export const EARLY_STOPPING_KEY = 'earlyStopping';

export interface EarlyStoppingOptions {
  /** Measures the model on validation data. */
  evaluate: (state: TrainingState) => Promise<Evaluation>;
  /** The metric that decides; higher is better. Default 'ndcg@10'. */
  metric?: string;
  /** The run ends after this many evaluations without a new best; Infinity for never. Default 5. */
  patience?: number;
  /** Epochs between evaluations; the last epoch is always evaluated. Default 1. */
  every?: number;
  /** Called after each evaluation. */
  onEvaluation?: (record: EvaluationRecord, isBest: boolean) => void;
}

/**
 * Evaluates after epochs, ends a run that no longer improves, and restores the best weights at its end. A callback for
 * `trainModel`.
 *
 * @throws Error in `onEpochEnd` when `evaluate` does not return the metric.
 *
 * @example
 * ```ts
 * import { AdamW, causalLM, createBatches, EarlyStopping, sft, trainModel } from 'tfjs-ilrec';
 *
 * const values = [0.1, 0.3, 0.2, 0.25, 0.9];
 * const earlyStopping = new EarlyStopping({ patience: 2, evaluate: async () => ({ 'ndcg@10': values.shift() ?? 0 }) });
 * const { step } = await trainModel({
 *   model: causalLM({ vocabSize: 6, hiddenSize: 8, numHiddenLayers: 2, numAttentionHeads: 2 }),
 *   method: sft(),
 *   optimizer: new AdamW({ learningRate: 0.01 }),
 *   batches: createBatches({ sequences: [[0, 1, 2]], itemTokens: [[3], [4], [5]] }),
 *   epochs: 9,
 *   callbacks: [earlyStopping],
 * });
 * console.log(step, earlyStopping.state.best, earlyStopping.state.bestStep); // 4 0.3 2
 * ```
 */
export class EarlyStopping implements TrainingCallback {
  state: EarlyStoppingState = { evaluations: [], best: null, bestStep: 0, waited: 0 };
  /** The weights at the best evaluation; null before the first. */
  bestWeights: readonly TensorData[] | null = null;
  private readonly metric: string;
  private readonly patience: number;
  private readonly every: number;

  /** @param options see `EarlyStoppingOptions`. */
  constructor(private readonly options: EarlyStoppingOptions) {
    this.metric = options.metric ?? 'ndcg@10';
    this.patience = options.patience ?? 5;
    this.every = options.every ?? 1;
  }

  /** Whether patience has run out. */
  get finished(): boolean {
    return this.state.best !== null && this.state.waited >= this.patience;
  }

  async onEpochEnd(training: TrainingState): Promise<void> {
    const epochs = training.epoch + 1;
    if (epochs % this.every !== 0 && epochs !== training.epochs) return;
    const metrics = await this.options.evaluate(training);
    const value = metrics[this.metric];
    if (value === undefined)
      throw new Error(`EarlyStopping: evaluate must return "${this.metric}", got ${Object.keys(metrics).join(', ')}`);
    const isBest = this.state.best === null || value > this.state.best;
    const record: EvaluationRecord = { step: training.step, epochs, metrics };
    this.state = {
      evaluations: [...this.state.evaluations, record],
      best: isBest ? value : this.state.best,
      bestStep: isBest ? training.step : this.state.bestStep,
      waited: isBest ? 0 : this.state.waited + 1,
    };
    if (isBest) this.bestWeights = await readWeights(training.model);
    this.options.onEvaluation?.(record, isBest);
    if (this.finished) training.stop();
  }

  onTrainEnd({ model }: TrainingState): void {
    if (this.bestWeights !== null) writeWeights(model, this.bestWeights);
  }
}
