import { readWeights, writeWeights } from '../checkpoints/training_snapshot';
import type { TensorData } from '../safetensors/safetensors';
import type { TrainingCallback, TrainingState } from '../training/train_model';

/** The metrics of one evaluation, by name. */
export type Evaluation = Readonly<Record<string, number>>;

/** An evaluation and where the run stood. */
export interface EvaluationRecord {
  readonly step: number;
  /** Whole epochs done. */
  readonly epochs: number;
  readonly metrics: Evaluation;
}

/** What early stopping must remember over a restart, as plain data; the best weights apart. */
export interface EarlyStoppingState {
  evaluations: EvaluationRecord[];
  /** Best value so far; null before the first evaluation. */
  best: number | null;
  bestStep: number;
  /** Evaluations since the best one. */
  waited: number;
}

/** The name under which a training snapshot holds this state. */
export const EARLY_STOPPING_KEY = 'earlyStopping';

export interface EarlyStoppingOptions {
  /** Measures the model on validation data. */
  evaluate: (state: TrainingState) => Promise<Evaluation>;
  /** The metric that decides, higher is better. Default 'ndcg@10'. */
  metric?: string;
  /** Evaluations without a new best after which the run ends; Infinity for never. Default 5. */
  patience?: number;
  /** Epochs between evaluations; the last epoch is always followed by one. Default 1. */
  every?: number;
  onEvaluation?: (record: EvaluationRecord, isBest: boolean) => void;
}

/** Evaluates after epochs, ends a run that no longer gets better, and puts the best weights back at its end. */
export class EarlyStopping implements TrainingCallback {
  state: EarlyStoppingState = { evaluations: [], best: null, bestStep: 0, waited: 0 };
  /** The weights of the best evaluation; null before the first. */
  bestWeights: readonly TensorData[] | null = null;
  private readonly metric: string;
  private readonly patience: number;
  private readonly every: number;

  constructor(private readonly options: EarlyStoppingOptions) {
    this.metric = options.metric ?? 'ndcg@10';
    this.patience = options.patience ?? 5;
    this.every = options.every ?? 1;
  }

  /** Whether the patience is used up. */
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
