import type { EvaluationResult } from '../evaluation/evaluate_ranking';
import { type ComparedRun, pick } from './comparison';
import { costOf, type FinishedRun, type SecondsOf, validationPoints } from './run_cost';

/** A run that is trained and evaluated. */
export interface EvaluatedRun extends FinishedRun {
  readonly seed: number;
  readonly run: string;
  readonly result: EvaluationResult;
}

/** What tables and charts know of a run. */
export function comparedRun({ seed, run, result, ...finished }: EvaluatedRun, secondsOf: SecondsOf): ComparedRun {
  return {
    seed,
    run,
    manifest: finished.manifest,
    log: finished.log,
    metrics: pick((metric) => result[metric]),
    cost: costOf(finished, secondsOf),
    validation: validationPoints(finished, secondsOf),
  };
}
