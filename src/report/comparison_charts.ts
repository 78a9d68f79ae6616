import type { ComparedMethod, ComparedRun, Comparison } from '../runs/comparison';
import { intervalChart, lineChart, type Level, type Series } from './charts';
import { bestMethod, bestPairs } from './conclusion';
import { layerCurves, type Point, stepCurve } from './curves';
import { colorOf, lineColor, titlesOf } from './method_style';

/** A chart with what stands above and below it. */
export interface Chart {
  readonly title: string;
  readonly note: string;
  readonly svg: string;
}

/** Validation NDCG@10 over steps, one line per trained method, with the floors that need no training. */
export function ndcgChart(comparison: Comparison): Chart {
  return validationChart(comparison, {
    title: 'Validation NDCG@10 over steps',
    xLabel: 'training steps',
    xOf: (_, { step }) => step,
    note: '',
  });
}

/** The same over seconds of training; a line starts when its teachers are trained. */
export function secondsChart(comparison: Comparison): Chart {
  return validationChart(comparison, {
    title: 'Validation NDCG@10 over seconds',
    xLabel: 'seconds of training',
    xOf: ({ cost }, { seconds }) => cost.needSeconds + seconds,
    note:
      ' The seconds of the teachers come first; those of the validations are ' +
      (comparison.secondsOf === 'steps' ? 'left out.' : 'included.'),
  });
}

function validationChart(
  { methods }: Comparison,
  {
    title,
    xLabel,
    xOf,
    note,
  }: {
    title: string;
    xLabel: string;
    xOf: (run: ComparedRun, point: ComparedRun['validation'][number]) => number;
    note: string;
  },
): Chart {
  const series = methods.flatMap((method) =>
    seriesOf(method, (run) => run.validation.map((point) => ({ x: xOf(run, point), value: point['ndcg@10'] }))),
  );
  const levels = methods.flatMap(({ method, title, runs }): Level[] => {
    const value = runs[0].log.length === 0 ? runs[0].manifest.validation?.best?.metrics['ndcg@10'] : undefined;
    return value === undefined ? [] : [{ name: title, color: colorOf(method), value }];
  });
  const users = methods.map(({ runs }) => runs[0].manifest.validation?.users).find((count) => count !== undefined);
  return {
    title,
    note:
      users === undefined
        ? 'Validation was off.'
        : `Measured on the same ${users} validation users for all methods; dashed: no training.${note}`,
    svg: lineChart({ title, xLabel, yLabel: 'NDCG@10', series, levels, dots: true }),
  };
}

/** Cross-entropy of the language models while training. Item scorers are left out: theirs is over items, not tokens. */
export function lossChart({ methods }: Comparison): Chart {
  const series = languageModels(methods).flatMap((method) =>
    seriesOf(method, (run) => stepCurve(run.log, 'crossEntropy')),
  );
  const title = 'Training cross-entropy per token';
  return {
    title,
    note:
      'The same quantity for all language models, without the terms of their methods. Nats, mean over response ' +
      'positions.',
    svg: lineChart({ title, yLabel: 'cross-entropy', series }),
  };
}

/** Test metric with its interval, one row per method. */
export function metricChart({ methods }: Comparison, metric: 'ndcg@10' | 'hr@10'): Chart {
  const rows = methods.map(({ method, title, mean, ci95 }) => ({
    name: title,
    color: colorOf(method),
    value: mean[metric],
    low: ci95[metric][0],
    high: ci95[metric][1],
  }));
  const title = `${metric.toUpperCase()} with 95 % intervals`;
  return {
    title,
    note: 'Bootstrap over users, seeds averaged per user.',
    svg: intervalChart({ title, xLabel: metric.toUpperCase(), rows }),
  };
}

/** Paired differences of the best method to each other one; an interval that crosses the line shows no difference. */
export function differenceChart(comparison: Comparison): Chart {
  const titleOf = titlesOf(comparison);
  const rows = bestPairs(comparison).map(({ b, difference, ci95 }) => ({
    name: `to ${titleOf(b)}`,
    color: colorOf(b),
    value: difference,
    low: ci95[0],
    high: ci95[1],
  }));
  const title = `NDCG@10 of ${bestMethod(comparison).title}, paired differences`;
  return {
    title,
    note:
      'The same users on both sides; 95 % intervals. One that crosses the line shows no difference. The sentences ' +
      'above also ask for an adjusted p-value below 0.05.',
    svg: intervalChart({ title, xLabel: 'difference in NDCG@10', rows, zero: true }),
  };
}

/** Charts of each method's `diagnostics`, from its first run; none of a term that was off, which is always 0. */
export function diagnosticCharts({ methods }: Comparison): Chart[] {
  return methods.flatMap(({ title: methodTitle, method, diagnostics = [], runs: [{ log }] }) =>
    diagnostics.flatMap(({ title, note, yLabel, lines = [], perLayer }) => {
      const named = lines.map(({ name, metric }, i): Series => ({
        name,
        color: lineColor(method, i),
        points: stepCurve(log, metric),
      }));
      const curves = perLayer === undefined ? [] : layerCurves(log, perLayer);
      const layers = curves.map((points, i): Series => {
        const shade = Math.min(4, 4 - curves.length + 1 + i);
        return { name: `layer ${i - curves.length} `, color: `var(--layer-${shade})`, points };
      });
      const series = [...named, ...layers];
      if (series.every(({ points }) => points.every(({ value }) => value === 0))) return [];
      const svg = lineChart({ width: 520, height: 250, title, yLabel, series });
      return [{ title: `${methodTitle}: ${title}`, note, svg }];
    }),
  );
}

function languageModels(methods: readonly ComparedMethod[]): ComparedMethod[] {
  return methods.filter(({ kind }) => kind === 'language-model');
}

/** The mean over seeds, and behind it each seed where there are several. */
function seriesOf(
  { method, title, runs }: ComparedMethod,
  curveOf: (run: ComparedMethod['runs'][number]) => Point[],
): Series[] {
  const curves = runs.map(curveOf).filter((points) => points.length > 0);
  if (curves.length === 0) return [];
  const shortest = Math.min(...curves.map((points) => points.length)); // runs may have stopped early
  const meanOver = (of: (point: Point) => number, i: number): number =>
    curves.reduce((sum, points) => sum + of(points[i]), 0) / curves.length;
  const mean = curves[0]
    .slice(0, shortest)
    .map((_, i) => ({ x: meanOver(({ x }) => x, i), value: meanOver(({ value }) => value, i) }));
  const [name, color] = [title, colorOf(method)];
  const faint = curves.length === 1 ? [] : curves.map((points): Series => ({ name, color, points, faint: true }));
  return [...faint, { name, color, points: mean }];
}
