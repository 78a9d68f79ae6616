import { IlrecError } from '../errors';

/** The learning rate of a step; step 0 is the first. */
export type Schedule = (step: number) => number;

/** A schedule as plain data, which a config or a checkpoint can hold. */
export interface ScheduleOptions {
  /** Shape after the warm-up. Default 'cosine'. */
  kind?: 'constant' | 'linear' | 'cosine';
  /** The highest learning rate, reached at the end of the warm-up; above 0. */
  learningRate: number;
  /** Steps of linear warm-up, 0 or more. Default 0. */
  warmupSteps?: number;
  /** Steps of the whole run, warm-up included. */
  totalSteps: number;
  /** Share of the highest rate that remains at the end of 'linear' and 'cosine', in [0, 1]. Default 0. */
  floor?: number;
}

/**
 * Makes a learning-rate schedule: linear warm-up, then a constant, a straight line or half a cosine down to `floor`.
 *
 * Step s of the warm-up has the rate learningRate * (s + 1) / warmupSteps, so the first step already learns. Steps
 * beyond `totalSteps` keep the last rate.
 *
 * @param options see `ScheduleOptions`.
 * @returns the rate as a function of the step, from 0.
 * @throws IlrecError when a number is out of range.
 *
 * @example
 * ```ts
 * import { createSchedule } from 'tfjs-ilrec';
 *
 * const rate = createSchedule({ kind: 'linear', learningRate: 0.4, warmupSteps: 2, totalSteps: 6 });
 * console.log([0, 1, 2, 4, 6].map(rate)); // [ 0.2, 0.4, 0.4, 0.2, 0 ]
 * ```
 */
export function createSchedule(options: ScheduleOptions): Schedule {
  const { kind = 'cosine', learningRate, warmupSteps = 0, totalSteps, floor = 0 } = options;
  if (!(learningRate > 0)) throw new IlrecError(`createSchedule: learningRate must be above 0, got ${learningRate}`);
  if (!(warmupSteps >= 0)) throw new IlrecError(`createSchedule: warmupSteps must be 0 or more, got ${warmupSteps}`);
  if (!(totalSteps >= 1)) throw new IlrecError(`createSchedule: totalSteps must be 1 or more, got ${totalSteps}`);
  if (!(floor >= 0 && floor <= 1)) throw new IlrecError(`createSchedule: floor must be in [0, 1], got ${floor}`);
  const decaySteps = Math.max(1, totalSteps - warmupSteps);
  return (step) => {
    if (step < warmupSteps) return (learningRate * (step + 1)) / warmupSteps;
    const progress = Math.min(1, (step - warmupSteps) / decaySteps); // 0 to 1 after the warm-up
    if (kind === 'constant') return learningRate;
    const left = kind === 'linear' ? 1 - progress : (1 + Math.cos(Math.PI * progress)) / 2;
    return learningRate * (floor + (1 - floor) * left);
  };
}
