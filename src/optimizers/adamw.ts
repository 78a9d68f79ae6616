import * as tf from '@tensorflow/tfjs-core';
import { IlrecError } from '../errors';
import { ownKernel } from '../ops/own_kernel';
import { createSchedule, type Schedule, type ScheduleOptions } from './schedules';

/** tfjs-core does not export this type by name. */
type NamedTensor = Awaited<ReturnType<tf.Optimizer['saveIterations']>>;

export interface AdamWOptions {
  /** A number, a schedule as data, or any function of the step (0 is the first). 0 or more. */
  learningRate: number | ScheduleOptions | Schedule;
  /** Decay of the mean of gradients, in [0, 1). Default 0.9. */
  beta1?: number;
  /** Decay of the mean of squared gradients, in [0, 1). Default 0.999. */
  beta2?: number;
  /** Added to the root of the second moment, above 0. Default 1e-8. */
  epsilon?: number;
  /** Decoupled decay: each step takes learningRate * weightDecay of the weight itself. 0 or more. Default 0.01. */
  weightDecay?: number;
  /** Gradients are scaled down so that their global norm is at most this; 0 for no clipping. Default 0. */
  clipNorm?: number;
  /**
   * Which weights decay. Default those of rank 2 or more: not norm scales and biases, but embedding tables, as in
   * Hugging Face's trainer.
   */
  decays?: (variable: tf.Variable) => boolean;
}

/**
 * Adam with decoupled weight decay (Loshchilov & Hutter, arXiv 1711.05101) and clipping by the global norm.
 *
 * ```
 * m = beta1 m + (1 - beta1) g        v = beta2 v + (1 - beta2) g^2
 * x = x - lr ( m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon) + weightDecay x )
 * ```
 * The state is the step count and the moments, in the order in which the weights are trained. `getWeights` and
 * `setWeights` resume a run bit for bit.
 *
 * @example
 * ```ts
 * import { AdamW } from 'tfjs-ilrec';
 *
 * const constant = new AdamW({ learningRate: 1e-3, clipNorm: 1 });
 * constant.learningRate = 5e-4; // between epochs, for example
 * const warmed = new AdamW({ learningRate: { learningRate: 1e-3, warmupSteps: 4, totalSteps: 100 } });
 * console.log(constant.learningRate, warmed.learningRate); // 0.0005 0.00025
 * ```
 */
export class AdamW extends tf.Optimizer {
  static readonly className = 'ILRecAdamW';
  private readonly options: Required<Omit<AdamWOptions, 'learningRate'>>;
  private givenRate: AdamWOptions['learningRate'];
  private readonly schedule: Schedule | null;
  private firstMoments: tf.Variable[] = [];
  private secondMoments: tf.Variable[] = [];

  /**
   * @param options see `AdamWOptions`; `learningRate` has no default.
   * @throws IlrecError on an option out of range.
   */
  constructor(options: AdamWOptions) {
    super();
    if (options?.learningRate === undefined)
      throw new IlrecError(
        'AdamW: learningRate must be given, got none; 1e-3 is usual for a new model, 1e-4 for an adapter',
      );
    const {
      learningRate,
      beta1 = 0.9,
      beta2 = 0.999,
      epsilon = 1e-8,
      weightDecay = 0.01,
      clipNorm = 0,
      decays = hasRankTwo,
    } = options;
    for (const [name, value] of Object.entries({ beta1, beta2 })) {
      if (!(value >= 0 && value < 1)) throw new IlrecError(`AdamW: ${name} must be in [0, 1), got ${value}`);
    }
    if (typeof learningRate === 'number') checkRate(learningRate);
    for (const [name, value] of Object.entries({ weightDecay, clipNorm })) {
      if (!(value >= 0)) throw new IlrecError(`AdamW: ${name} must be 0 or more, got ${value}`);
    }
    this.options = { beta1, beta2, epsilon, weightDecay, clipNorm, decays };
    this.givenRate = learningRate;
    this.schedule = scheduleOf(learningRate);
  }

  /**
   * The learning rate of the next step. A constant one can be assigned, a schedule cannot: assigning throws an
   * IlrecError.
   */
  get learningRate(): number {
    return this.schedule === null ? (this.givenRate as number) : this.schedule(this.iterations);
  }

  set learningRate(value: number) {
    if (this.schedule !== null) {
      throw new IlrecError(
        `AdamW: learningRate must be a number to be assigned, got a schedule and ${value}; change the schedule ` +
          'that the optimizer was made with',
      );
    }
    checkRate(value);
    this.givenRate = value;
  }

  override applyGradients(gradients: tf.NamedTensorMap | NamedTensor[]): void {
    const named = Array.isArray(gradients)
      ? gradients
      : Object.entries(gradients).map(([name, tensor]) => ({ name, tensor }));
    const step = this.iterations + 1;
    const { beta1, beta2, epsilon, weightDecay, clipNorm, decays } = this.options;
    const rate = this.learningRate;
    const update = {
      beta1,
      beta2,
      epsilon,
      stepSize: rate / (1 - beta1 ** step),
      secondScale: 1 / (1 - beta2 ** step),
    };
    const own = ownKernel('ILRecAdamW');
    tf.tidy(() => {
      const all = named.map(({ tensor }) => tensor);
      const clipped = clipNorm > 0 ? clipByGlobalNorm(all, clipNorm) : all;
      named.forEach(({ name }, i) => {
        const variable = tf.engine().registeredVariables[name];
        const [first, second] = this.momentsOf(i, variable);
        const gradient = clipped[i];
        if (gradient == null) return;
        const keep = weightDecay > 0 && decays(variable) ? 1 - rate * weightDecay : 1;
        tf.tidy(() => {
          const [weight, ...moments] =
            own === null
              ? updated(variable, first, second, gradient, keep, update)
              : own({ weight: variable, first, second, gradient }, { ...update, keep });
          variable.assign(weight);
          first.assign(moments[0]);
          second.assign(moments[1]);
        });
      });
    });
    this.incrementIterations();
  }

  override dispose(): void {
    tf.dispose([...this.firstMoments, ...this.secondMoments]);
    this.firstMoments = [];
    this.secondMoments = [];
  }

  /**
   * [steps, first moments ..., second moments ...]. The caller disposes only the first tensor; the moments stay the
   * optimizer's.
   */
  override async getWeights(): Promise<NamedTensor[]> {
    const named = (variables: tf.Variable[], kind: string): NamedTensor[] =>
      variables.map((tensor, i) => ({ name: `${i}/${kind}`, tensor }));
    return [await this.saveIterations(), ...named(this.firstMoments, 'm'), ...named(this.secondMoments, 'v')];
  }

  /** @throws IlrecError when the state is not that of an AdamW. */
  override async setWeights(weights: NamedTensor[]): Promise<void> {
    const moments = await this.extractIterations(weights);
    if (moments.length % 2 !== 0)
      throw new IlrecError(
        `AdamW.setWeights: needs the step and as many first as second moments, got ${weights.length} tensors`,
      );
    this.dispose();
    const half = moments.length / 2;
    const copy = ({ tensor }: NamedTensor): tf.Variable => tf.tidy(() => tf.variable(tf.clone(tensor), false));
    this.firstMoments = moments.slice(0, half).map(copy);
    this.secondMoments = moments.slice(half).map(copy);
  }

  override getConfig(): tf.serialization.ConfigDict {
    const { beta1, beta2, epsilon, weightDecay, clipNorm } = this.options;
    const rate = typeof this.givenRate === 'function' ? this.learningRate : this.givenRate;
    return { learningRate: rate as tf.serialization.ConfigDictValue, beta1, beta2, epsilon, weightDecay, clipNorm };
  }

  static override fromConfig<T extends tf.serialization.Serializable>(
    cls: tf.serialization.SerializableConstructor<T>,
    config: tf.serialization.ConfigDict,
  ): T {
    return new (cls as unknown as new (options: AdamWOptions) => T)(config as unknown as AdamWOptions);
  }

  private momentsOf(i: number, variable: tf.Variable): [tf.Variable, tf.Variable] {
    if (this.firstMoments[i] === undefined) {
      this.firstMoments[i] = tf.tidy(() => tf.variable(tf.zerosLike(variable), false));
      this.secondMoments[i] = tf.tidy(() => tf.variable(tf.zerosLike(variable), false));
    }
    const first = this.firstMoments[i];
    if (!tf.util.arraysEqual(first.shape, variable.shape)) {
      throw new IlrecError(
        `AdamW: the restored state of weight ${i} must have the shape of ${variable.name}, ` +
          `[${variable.shape.join(', ')}], got [${first.shape.join(', ')}]; resume with the model the state came ` +
          'from',
      );
    }
    return [first, this.secondMoments[i]];
  }
}

interface Update {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** lr / (1 - beta1^t). */
  readonly stepSize: number;
  /** 1 / (1 - beta2^t). */
  readonly secondScale: number;
}

/**
 * A weight and its moments after a step.
 * @param keep the factor by which decay shrinks the weight, 1 - lr * weightDecay.
 */
function updated(
  weight: tf.Tensor,
  first: tf.Tensor,
  second: tf.Tensor,
  gradient: tf.Tensor,
  keep: number,
  { beta1, beta2, epsilon, stepSize, secondScale }: Update,
): tf.Tensor[] {
  const m = tf.add(tf.mul(first, beta1), tf.mul(gradient, 1 - beta1));
  const v = tf.add(tf.mul(second, beta2), tf.mul(tf.square(gradient), 1 - beta2));
  const denominator = tf.add(tf.sqrt(tf.mul(v, secondScale)), epsilon);
  return [tf.sub(keep === 1 ? weight : tf.mul(weight, keep), tf.div(tf.mul(m, stepSize), denominator)), m, v];
}

function checkRate(learningRate: number): void {
  if (!(typeof learningRate === 'number' && learningRate >= 0))
    throw new IlrecError(`AdamW: learningRate must be 0 or more, got ${learningRate}`);
}

/** null for a constant rate. */
function scheduleOf(learningRate: AdamWOptions['learningRate']): Schedule | null {
  if (typeof learningRate === 'number') return null;
  return typeof learningRate === 'function' ? learningRate : createSchedule(learningRate);
}

function hasRankTwo(variable: tf.Variable): boolean {
  return variable.rank >= 2;
}

/** Scales all gradients by min(1, clipNorm / global norm), on the device. */
function clipByGlobalNorm(gradients: tf.Tensor[], clipNorm: number): tf.Tensor[] {
  const present = gradients.filter((gradient) => gradient != null);
  if (present.length === 0) return gradients;
  const norm = tf.sqrt(tf.sum(tf.stack(present.map((gradient) => tf.sum(tf.square(gradient)))))); // scalar; tfjs's addN of many tensors fails on WebGPU
  const scale = tf.minimum(1, tf.div(clipNorm, tf.add(norm, 1e-6)));
  return gradients.map((gradient) => (gradient == null ? gradient : tf.mul(gradient, scale)));
}
