import type { LogLine } from '../runs/run_log';

/** One point of a curve. */
export interface Point {
  /** Training steps, or seconds of training. */
  readonly x: number;
  readonly value: number;
}

/** Points of a curve that fit a chart without hiding one another. */
const MAX_POINTS = 120;

/** A metric of the log's steps as at most 120 means over equal stretches of steps. */
export function stepCurve(log: readonly LogLine[], metric: string): Point[] {
  return thinned(
    log.flatMap((line) =>
      line.kind === 'step' && typeof line[metric] === 'number' ? [{ x: line.step, value: line[metric] as number }] : [],
    ),
  );
}

/**
 * A metric of the log's steps that holds a number per layer: one curve per layer, shallow to deep.
 *
 * @param most points of a curve.
 */
export function layerCurves(log: readonly LogLine[], metric: string, most = MAX_POINTS): Point[][] {
  const steps = log.flatMap((line) =>
    line.kind === 'step' && Array.isArray(line[metric])
      ? [{ step: line.step, values: line[metric] as readonly number[] }]
      : [],
  );
  const layers = steps.reduce((most, { values }) => Math.max(most, values.length), 0);
  return Array.from({ length: layers }, (_, layer) =>
    thinned(
      steps.map(({ step, values }) => ({ x: step, value: values[layer] })),
      most,
    ),
  );
}

/** At most so many points, each the mean over a stretch. */
export function thinned(points: readonly Point[], most = MAX_POINTS): Point[] {
  const perBucket = Math.ceil(points.length / most);
  if (perBucket <= 1) return [...points];
  const means: Point[] = [];
  for (let low = 0; low < points.length; low += perBucket) {
    const bucket = points.slice(low, low + perBucket);
    means.push({
      x: bucket[bucket.length - 1].x,
      value: bucket.reduce((sum, { value }) => sum + value, 0) / bucket.length,
    });
  }
  return means;
}
