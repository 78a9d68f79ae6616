import * as tf from '@tensorflow/tfjs-core';
import { IlrecError } from '../errors';
import { stopGradient } from '../ops/stop_gradient';

/** A metric as `model.compile` takes it. */
export type IlrecMetric = (labels: tf.Tensor, predictions: tf.Tensor) => tf.Tensor;

/** What a loss returns: the total, which is trained on, and other terms by name. */
export interface LossTerms {
  readonly total: tf.Tensor;
  readonly [term: string]: tf.Tensor;
}

/**
 * The terms of the last step, off the tape, kept until the next one: for metrics, for diagnostics, and for a loss that
 * is evaluated again.
 */
export class LastStep {
  private terms: Readonly<Record<string, tf.Tensor>> | null = null;
  private total: { labels: tf.Tensor; predictions: tf.Tensor; value: tf.Scalar } | null = null;

  /** @param name the public function that made the method; errors start with it. */
  constructor(private readonly name: string) {}

  remember({ total, ...terms }: LossTerms, labels: tf.Tensor, predictions: tf.Tensor): void {
    const kept = Object.entries(terms).map(([term, tensor]) => [term, tf.keep(stopGradient(tensor))] as const);
    const value = tf.keep(stopGradient(total)) as tf.Scalar;
    this.forget();
    this.terms = Object.fromEntries(kept);
    this.total = { labels, predictions, value };
  }

  /**
   * The total of the same tensors again, else null: for a model with several outputs, tfjs evaluates each output's loss
   * once more as a metric.
   */
  totalOf(labels: tf.Tensor, predictions: tf.Tensor): tf.Scalar | null {
    const { total } = this;
    return total?.labels === labels && total.predictions === predictions ? tf.clone(total.value) : null;
  }

  /** Terms of the last step, which stay this object's own. */
  of(names: readonly string[]): Record<string, tf.Scalar> {
    return Object.fromEntries(names.map((name) => [name, this.terms?.[name] as tf.Scalar]));
  }

  /** A metric that gives a term of the last step. */
  metric(term: string): IlrecMetric {
    const metric = (): tf.Tensor => {
      if (this.terms === null) {
        throw new IlrecError(
          `${this.name}: metric ${term} needs the method's own loss; compile with \`loss: method.loss\``,
        );
      }
      return tf.clone(this.terms[term]);
    };
    return Object.defineProperty(metric, 'name', { value: term }); // tfjs names a metric after its function
  }

  /** The numbers of all terms, read from the device; null before the first step. */
  async read(): Promise<Readonly<Record<string, ArrayLike<number>>> | null> {
    if (this.terms === null) return null;
    // the next step disposes the originals
    const clones = Object.entries(this.terms).map(([term, tensor]) => [term, tf.clone(tensor)] as const);
    const reading = clones.map(async ([term, tensor]) => [term, await tensor.data()] as const);
    return Object.fromEntries(await Promise.all(reading).finally(() => tf.dispose(clones.map(([, tensor]) => tensor))));
  }

  forget(): void {
    if (this.terms !== null) tf.dispose(Object.values(this.terms));
    this.total?.value.dispose();
    this.terms = null;
    this.total = null;
  }
}
