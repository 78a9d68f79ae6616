import { meanOf } from '../evaluation/metrics';
import type { RunCost, ValidationPoint } from './run_cost';

/** Validation NDCG@10 of the trained methods after the same steps, and after the same seconds. */
export interface EqualBudgets {
  /** Steps of the longest run of the method that did fewest. */
  readonly steps: number;
  /** Seconds of the longest run of the method that took fewest, teachers' included; see `Comparison.secondsOf`. */
  readonly seconds: number;
  readonly methods: readonly {
    readonly method: string;
    /** The best validation within the steps, averaged over seeds; null where a seed has none. */
    readonly atSteps: number | null;
    /** The best within the seconds, the teachers' first; null where a seed has none, for example as the teachers took
     * longer. */
    readonly atSeconds: number | null;
  }[];
}

/** What budgets are made of: a method's runs with their validations. */
interface ValidatedMethod {
  readonly method: string;
  readonly runs: readonly ValidatedRun[];
}

interface ValidatedRun {
  readonly validation: readonly ValidationPoint[];
  readonly cost: Pick<RunCost, 'needSeconds'>;
}

/** Compares at the smallest budget of the trained methods; null where none was validated. */
export function equalBudgets(methods: readonly ValidatedMethod[]): EqualBudgets | null {
  const validated = methods.filter(({ runs }) => runs.every(({ validation }) => validation.length > 0));
  if (validated.length === 0) return null;
  const smallest = (of: (run: ValidatedRun) => number): number =>
    Math.min(...validated.map(({ runs }) => Math.max(...runs.map(of))));
  const steps = smallest(({ validation }) => validation[validation.length - 1].step);
  const seconds = smallest(({ validation, cost }) => validation[validation.length - 1].seconds + cost.needSeconds);
  return {
    steps,
    seconds,
    methods: validated.map(({ method, runs }) => ({
      method,
      atSteps: meanOrNull(runs.map((run) => bestWithin(run, (point) => point.step <= steps))),
      atSeconds: meanOrNull(
        runs.map((run) => bestWithin(run, (point) => point.seconds + run.cost.needSeconds <= seconds)),
      ),
    })),
  };
}

function bestWithin({ validation }: ValidatedRun, isWithin: (point: ValidationPoint) => boolean): number | null {
  const values = validation.filter(isWithin).map((point) => point['ndcg@10']);
  return values.length === 0 ? null : Math.max(...values);
}

function meanOrNull(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length < values.length ? null : meanOf(known);
}
