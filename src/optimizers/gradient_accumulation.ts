import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { IlrecError } from '../errors';
import { takeCountedPositions } from '../ops/counted_positions';

/** tfjs-core does not export this type by name. */
type NamedTensor = Awaited<ReturnType<tf.Optimizer['saveIterations']>>;

export interface GradientAccumulationOptions {
  /** Batches whose gradients make one step of the optimizer, a positive integer. */
  steps: number;
  /**
   * Weight of the last batch, at least 0; called once after its gradients are made. Default its response positions, where
   * the loss is that of a method of this package, which gives exactly the step of the large batch; and 1 for each batch
   * where it is not.
   */
  weight?: () => number;
}

/**
 * Makes one step of `optimizer` from the gradients of several batches: the step of one large batch, with the memory of
 * a small one.
 *
 * ```
 * g = sum_i w_i g_i / sum_i w_i
 * ```
 * Clipping, decay and schedule are those of the inner optimizer, on the accumulated gradient; a schedule counts steps,
 * not batches. Call `flush()` at the end of an epoch whose number of batches is not a multiple of `steps`, if the rest
 * should not wait for the next epoch.
 *
 * @param optimizer any tfjs optimizer.
 * @param options see `GradientAccumulationOptions`.
 * @returns an optimizer for `model.compile`.
 * @throws IlrecError when `steps` is not a positive integer.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { accumulateGradients } from 'tfjs-ilrec';
 *
 * const x = tf.variable(tf.scalar(1));
 * const optimizer = accumulateGradients(tf.train.sgd(0.5), { steps: 2 });
 * optimizer.minimize(() => tf.mul(x, 3)); // gradient 3
 * console.log(x.dataSync()[0], optimizer.pending); // 1 1
 * optimizer.minimize(() => tf.mul(x, 1)); // gradient 1, mean 2
 * console.log(x.dataSync()[0], optimizer.pending); // 0 0
 * ```
 */
export function accumulateGradients(
  optimizer: tf.Optimizer,
  options: GradientAccumulationOptions,
): AccumulatedOptimizer {
  return new AccumulatedOptimizer({ optimizer, ...options });
}

/**
 * See `accumulateGradients`. The state is the inner optimizer's and the gradients accumulated so far, so that a run can
 * resume between two steps.
 */
export class AccumulatedOptimizer extends tf.Optimizer {
  static readonly className = 'ILRecAccumulatedOptimizer';
  /** Makes the steps. */
  readonly inner: tf.Optimizer;
  /** The option; null for its default. A function is not saved with a model: set it after loading. */
  weight: (() => number) | null;
  private readonly steps: number;
  private sums: (tf.Variable | null)[] = [];
  private names: string[] = [];
  private batches = 0;
  private totalWeight = 0;
  /** [batches, total weight, number of the inner optimizer's weights]; made by `getWeights`. */
  private progress: tf.Variable | null = null;
  /** Stands in the state for a weight without a gradient, [0]. */
  private none: tf.Variable | null = null;

  constructor({ optimizer, steps, weight }: GradientAccumulationOptions & { optimizer: tf.Optimizer }) {
    super();
    if (!Number.isInteger(steps) || steps < 1)
      throw new IlrecError(`accumulateGradients: steps must be a positive integer, got ${steps}`);
    this.inner = optimizer;
    this.steps = steps;
    this.weight = weight ?? null;
  }

  /** The inner optimizer's learning rate; NaN if it has none. Assigning sets the inner optimizer's. */
  get learningRate(): number {
    return (this.inner as { learningRate?: number }).learningRate ?? NaN;
  }

  set learningRate(value: number) {
    const inner = this.inner as { learningRate?: number; setLearningRate?(value: number): void };
    if (inner.setLearningRate === undefined) inner.learningRate = value;
    else inner.setLearningRate(value); // tfjs's SGD and momentum keep a tensor of it
  }

  /** Steps that the inner optimizer has made. */
  override get iterations(): number {
    return this.inner.iterations;
  }

  /** Batches accumulated since the last step. */
  get pending(): number {
    return this.batches;
  }

  override computeGradients(
    loss: () => tf.Scalar,
    variables?: tf.Variable[],
  ): ReturnType<tf.Optimizer['computeGradients']> {
    takeCountedPositions(); // of an earlier step, which this loss may not be of
    return super.computeGradients(loss, variables);
  }

  override applyGradients(gradients: tf.NamedTensorMap | NamedTensor[]): void {
    const named = Array.isArray(gradients)
      ? gradients
      : Object.entries(gradients).map(([name, tensor]) => ({ name, tensor }));
    const counted = takeCountedPositions();
    const weight = this.weight === null ? (counted ?? 1) : this.weight();
    if (!(weight >= 0) || !Number.isFinite(weight))
      throw new IlrecError(`accumulateGradients: weight must be a number of at least 0, got ${weight}`);
    this.checkNames(named);
    named.forEach(({ tensor }, i) => {
      if (tensor != null) this.add(i, tensor, weight);
    });
    this.totalWeight += weight;
    this.batches++;
    if (this.batches >= this.steps) this.flush();
  }

  /**
   * Makes a step from the gradients accumulated so far; does nothing when there are none.
   *
   * @throws IlrecError when the gradients were restored from a state, and neither `trains` nor a batch has said which
   *   weights they belong to.
   */
  flush(): void {
    if (this.batches === 0) return;
    if (this.names.length !== this.sums.length) {
      throw new IlrecError(
        `AccumulatedOptimizer.flush: the weights of the ${this.sums.length} restored gradients must be known, ` +
          'got none; resume with the model the state came from, and call trains(model) after setWeights',
      );
    }
    const scale = this.totalWeight > 0 ? 1 / this.totalWeight : 1;
    const mean = this.names.map((name, i) => {
      const sum = this.sums[i];
      return { name, tensor: sum === null ? null : tf.mul(sum, scale) };
    });
    this.inner.applyGradients(mean as NamedTensor[]); // null is "no gradient", as in `minimize`
    tf.dispose(mean.map(({ tensor }) => tensor ?? []));
    this.forget();
  }

  override dispose(): void {
    this.forget();
    tf.dispose([this.progress ?? [], this.none ?? []]);
    this.progress = this.none = null;
    this.inner.dispose();
  }

  /**
   * [the inner optimizer's steps, progress, the inner optimizer's other weights ..., sums ...]. The caller disposes
   * only the first tensor.
   */
  override async getWeights(): Promise<NamedTensor[]> {
    const [iterations, ...others] = await this.inner.getWeights();
    this.progress?.dispose();
    this.progress = tf.tidy(() => tf.variable(tf.tensor1d([this.batches, this.totalWeight, others.length]), false));
    const sums = this.sums.map((sum, i) => ({
      name: `${i}/sum`,
      tensor: sum ?? (this.none ??= tf.tidy(() => tf.variable(tf.tensor1d([]), false))),
    }));
    return [iterations, { name: 'accumulated', tensor: this.progress }, ...others, ...sums];
  }

  /** @throws IlrecError when the state is not that of an accumulated optimizer. */
  override async setWeights(weights: NamedTensor[]): Promise<void> {
    const [iterations, progress, ...rest] = weights;
    const found = progress === undefined ? [] : [...(await progress.tensor.data())];
    const [batches, totalWeight, numInner] = found;
    if (found.length !== 3 || rest.length < numInner) {
      throw new IlrecError(
        `AccumulatedOptimizer.setWeights: needs the state of an accumulated optimizer, got ${weights.length} ` +
          'tensors; resume with the optimizer that the state came from',
      );
    }
    await this.inner.setWeights([iterations, ...rest.slice(0, numInner)]);
    this.forget();
    this.sums = rest
      .slice(numInner)
      .map(({ tensor }) => (tensor.size === 0 ? null : tf.tidy(() => tf.variable(tf.clone(tensor), false))));
    this.batches = batches;
    this.totalWeight = totalWeight;
  }

  /**
   * Says after `setWeights` to which model's weights the accumulated gradients belong, because a state knows weights
   * only by their order. `resumeFrom` and `restoreSnapshot` call it. If the model trains another number of weights,
   * this does nothing, and the next batch decides.
   */
  trains(model: tfl.LayersModel): void {
    const names = model.trainableWeights.map((variable) => (variable.read() as tf.Variable).name);
    if (names.length === this.sums.length) this.names = names;
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { steps: this.steps, optimizer: { className: this.inner.getClassName(), config: this.inner.getConfig() } };
  }

  static override fromConfig<T extends tf.serialization.Serializable>(
    cls: tf.serialization.SerializableConstructor<T>,
    config: tf.serialization.ConfigDict,
  ): T {
    const { steps, optimizer } = config as unknown as {
      steps: number;
      optimizer: { className: string; config: tf.serialization.ConfigDict };
    };
    const registered = tf.serialization.SerializationMap.getMap().classNameMap[optimizer.className];
    if (registered === undefined)
      throw new IlrecError(
        `AccumulatedOptimizer: the inner optimizer's class must be registered, got ${optimizer.className}`,
      );
    const [innerClass, fromConfig] = registered;
    const inner = fromConfig(innerClass, optimizer.config) as unknown as tf.Optimizer;
    return new (cls as unknown as new (options: { optimizer: tf.Optimizer; steps: number }) => T)({
      optimizer: inner,
      steps,
    });
  }

  private checkNames(named: readonly NamedTensor[]): void {
    if (
      this.batches > 0 &&
      this.names.length > 0 &&
      (named.length !== this.names.length || named.some(({ name }, i) => name !== this.names[i]))
    ) {
      throw new IlrecError(
        'accumulateGradients: the batches of one step must train the same weights, got others; flush() before ' +
          'the trained weights change',
      );
    }
    this.names = named.map(({ name }) => name);
    if (this.sums.length === 0) this.sums = named.map(() => null);
  }

  private add(i: number, gradient: tf.Tensor, weight: number): void {
    const sum = this.sums[i];
    if (sum == null) {
      this.sums[i] = tf.tidy(() => tf.variable(tf.mul(gradient, weight), false));
      return;
    }
    if (!tf.util.arraysEqual(sum.shape, gradient.shape)) {
      throw new IlrecError(
        `accumulateGradients: the accumulated gradient ${i} must be [${gradient.shape.join(', ')}], got ` +
          `[${sum.shape.join(', ')}]; resume with the model the state came from`,
      );
    }
    tf.tidy(() => sum.assign(tf.add(sum, tf.mul(gradient, weight))));
  }

  private forget(): void {
    tf.dispose(this.sums.filter((sum) => sum !== null));
    this.sums = [];
    this.names = [];
    this.batches = 0;
    this.totalWeight = 0;
  }
}
