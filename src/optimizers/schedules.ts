import { IlrecError } from '../errors';

/** The learning rate of a step; step 0 is the first. */
export type Schedule = (step: number) => number;

/** A schedule as plain data, so that a config or a checkpoint can hold it. */
export interface ScheduleOptions {
  /** Shape after the warm-up. Default 'cosine'. */
  kind?: 'constant' | 'linear' | 'cosine';
  /** The highest learning rate, reached at the end of the warm-up; above 0. */
  learningRate: number;
  /** Steps of linear warm-up, 0 or more. Default 0. */
  warmupSteps?: number;
  /** Steps of the whole run, warm-up included. */
  totalSteps: number;
  /** Share of the highest rate that is left at the end of 'linear' and 'cosine', in [0, 1]. Default 0. */
  floor?: number;
}

/**
 * Linear warm-up, then a constant, a straight line or half a cosine down to `floor`.
 *
 * Step s of the warm-up has rate learningRate * (s + 1) / warmupSteps, so that the first step already learns; steps beyond `totalSteps` keep the last rate.
 * @throws IlrecError when a number is out of its range.
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
