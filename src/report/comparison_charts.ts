import type { ComparedMethod, ComparedRun } from '../runs/comparison';
import type { Chart } from './chart_card';
import { type Compared, lookOf, otherOf, trained } from './compared';
import { type Point, stepCurve } from './curves';
import { intervalChart, intervalText, type IntervalRow } from './interval_chart';
import { type Level, lineChart, type LineChartOptions, type Series } from './line_chart';
import type { Look } from './look';
import { rounded } from './svg';
import { outcomeOf } from './wording';

/** Validation NDCG@10 over steps, one line per trained method, with the floors that need no training. */
export function ndcgChart(compared: Compared): Chart {
  return validationChart(compared, {
    title: 'Validation NDCG@10 over steps',
    xLabel: 'training steps',
    xOf: (_, { step }) => step,
    note: ' Steps of a run that another one starts from are left out.',
  });
}

/** The same over seconds of training; a line starts when its teachers are trained. */
export function secondsChart(compared: Compared): Chart {
  return validationChart(compared, {
    title: 'Validation NDCG@10 over seconds',
    xLabel: 'seconds of training',
    xOf: ({ cost }, { seconds }) => cost.needSeconds + seconds,
    note:
      ' The seconds of the runs that a method needs come first; those of the validations are ' +
      (compared.secondsOf === 'steps' ? 'left out.' : 'included.'),
  });
}

interface ValidationChartOptions {
  readonly title: string;
  readonly xLabel: string;
  readonly xOf: (run: ComparedRun, point: ComparedRun['validation'][number]) => number;
  readonly note: string;
}

function validationChart(compared: Compared, { title, xLabel, xOf, note }: ValidationChartOptions): Chart {
  const { methods, looks } = compared;
  const series = methods.flatMap((method, i) =>
    seriesOf(method, looks[i], (run) =>
      run.validation.map((point) => ({ x: xOf(run, point), value: point['ndcg@10'] })),
    ),
  );
  const levels = methods.flatMap(({ runs }, i): Level[] => {
    const value = runs[0].log.length === 0 ? runs[0].manifest.validation?.best?.metrics['ndcg@10'] : undefined;
    return value === undefined ? [] : [{ look: looks[i], value }];
  });
  const users = methods.map(({ runs }) => runs[0].manifest.validation?.users).find((count) => count !== undefined);
  const dashed = levels.length === 0 ? '' : ' Dashed: no training.';
  return curves({
    title,
    note:
      users === undefined
        ? 'Validation was off.'
        : `Measured on the same ${users} validation users for all.${dashed}${note}`,
    chart: { title, xLabel, yLabel: 'NDCG@10', series, levels, dots: true },
  });
}

/** From this ratio of the longest training to the shortest, seconds are on a logarithmic scale. */
const SPREAD = 20;

/** Quality against the seconds of the whole training, the runs that a method needs included. */
export function tradeOffChart(compared: Compared): Chart | null {
  const { methods, looks } = compared;
  const points = methods.flatMap(({ kind, mean, ci95, cost }, i) => {
    const seconds = cost.seconds + cost.needSeconds;
    return seconds > 0 ? [{ kind, look: looks[i], seconds, mean: mean['ndcg@10'], ci95: ci95['ndcg@10'] }] : [];
  });
  if (points.length < 2) return null;
  const long = points.flatMap(({ kind, seconds }) => (kind === 'counts' ? [] : [seconds]));
  const title = 'NDCG@10 against seconds of training';
  const series = points.map(({ look, seconds, mean, ci95 }): Series => ({
    look,
    points: [{ x: seconds, value: mean }],
    intervals: [ci95],
  }));
  const logX = Math.max(...long) > SPREAD * Math.min(...long); // counting takes no time beside training
  return {
    title,
    note:
      'Left and up is better. Seconds of a training with its validations and those of the runs that it needs' +
      `${logX ? ', on a logarithmic scale' : ''}; upright lines are 95 % intervals over users.`,
    draw: (form) => lineChart({ title, form, xLabel: 'seconds', yLabel: 'NDCG@10', series, dots: true, logX }),
    values: {
      headers: ['', 'seconds', 'NDCG@10, 95 % interval'],
      rows: points.map(({ look, seconds, mean, ci95: [low, high] }) => [
        look.name,
        seconds.toFixed(1),
        intervalText({ value: mean, low, high }),
      ]),
    },
    legend: points.map(({ look }) => look),
  };
}

/** A step that does not measure its cross-entropy logs 0. */
function measuresIt({ crossEntropy }: ComparedRun['log'][number]): boolean {
  return crossEntropy !== 0;
}

/** Cross-entropy of the language models while training. Item scorers are left out: theirs is over items, not tokens. */
export function lossChart(compared: Compared): Chart | null {
  const series = trained(compared)
    .filter(({ method }) => method.kind === 'language-model')
    .flatMap(({ method, look }) =>
      seriesOf(method, look, (run) => stepCurve(run.log.filter(measuresIt), 'crossEntropy')),
    );
  if (series.length === 0) return null;
  const title = 'Training cross-entropy per token';
  return curves({
    title,
    note:
      'The same quantity for all language models that log it, without the terms of their methods; a method that trains ' +
      'on something else may raise it. Nats, mean over response positions.',
    chart: { title, xLabel: 'training steps', yLabel: 'cross-entropy', series },
  });
}

/** A metric with its interval, one row per method. */
export function metricChart({ methods, looks }: Compared, metric: 'ndcg@10' | 'hr@10'): Chart {
  const rows = methods.map(({ mean, ci95 }, i): IntervalRow => {
    const [low, high] = ci95[metric];
    return { look: looks[i], value: mean[metric], low, high };
  });
  const title = `${metric.toUpperCase()} with 95 % intervals`;
  return intervals({
    title,
    note: 'Bootstrap over users, seeds averaged per user. Intervals of two methods may overlap where their difference is shown: the users are the same.',
    xLabel: metric.toUpperCase(),
    rows,
  });
}

/** The tests of the report as bars. A filled mark is a difference that is shown, an outline one that is not. */
export function differenceChart(compared: Compared): Chart {
  const { tests } = compared;
  const { name } = lookOf(compared, tests.reference);
  const isReferenceFirst = tests.pairs.every(({ a }) => a === tests.reference);
  const rows = tests.pairs.map((pair): IntervalRow => {
    const { name: other, className } = lookOf(compared, otherOf(tests, pair));
    const outcome = outcomeOf(pair);
    const look: Look = {
      name: isReferenceFirst ? `to ${other}` : other,
      color: `var(--${{ ahead: 'good', behind: 'bad', none: 'ink-soft' }[outcome]})`,
      symbol: ({ ahead: 'triangle', behind: 'square', none: 'circle' } as const)[outcome],
      isHollow: outcome === 'none',
      className: `${className} ${outcome}`,
    };
    return { look, value: pair.difference, low: pair.ci95[0], high: pair.ci95[1] };
  });
  const title = isReferenceFirst ? `NDCG@10 of ${name}, difference to each` : `Difference in NDCG@10 to ${name}`;
  const [first, second] = isReferenceFirst ? [name, 'the other'] : ['the arm', name];
  return intervals({
    title,
    note:
      `The same users on both sides, 95 % intervals. Filled triangle: ${first} is ahead; filled square: ${second} is; ` +
      'circle: no difference shown. A difference is shown where the interval leaves out 0 and the adjusted p-value is ' +
      'below 0.05.',
    xLabel: 'difference in NDCG@10',
    rows,
  });
}

/** A chart of intervals with its values as a table. */
function intervals({
  title,
  note,
  xLabel,
  rows,
}: {
  title: string;
  note: string;
  xLabel: string;
  rows: readonly IntervalRow[];
}): Chart {
  return {
    title,
    note,
    draw: (form) => intervalChart({ title, form, xLabel, groups: [{ rows }] }),
    values: {
      headers: ['', `${xLabel}, 95 % interval`],
      rows: rows.map((row) => [row.look.name, intervalText(row)]),
    },
  };
}

/** A chart of lines with where each starts, how far it gets and where it ends as a table. */
export function curves({
  title,
  note,
  chart,
  className,
}: {
  title: string;
  note: string;
  chart: Omit<LineChartOptions, 'form'>;
  className?: string;
}): Chart {
  const lines = chart.series.filter(({ points, faint }) => points.length > 0 && faint !== true);
  const at = ({ x, value }: Point): string => `${rounded(value)} at ${x < 10 ? Number(x.toFixed(2)) : Math.round(x)}`;
  const levels = (chart.levels ?? []).map(({ look, value }) => [
    look.name,
    ...new Array<string>(4).fill(rounded(value)),
  ]);
  return {
    title,
    note,
    className,
    draw: (form) => lineChart({ ...chart, form }),
    values: {
      headers: ['', 'first', 'lowest', 'highest', 'last'].map((one) => (one === '' ? '' : `${one}, ${chart.xLabel}`)),
      rows: [
        ...lines.map(({ look, points }) => {
          const sorted = [...points].sort((a, b) => a.value - b.value);
          return [look.name, ...[points[0], sorted[0], sorted[sorted.length - 1], points[points.length - 1]].map(at)];
        }),
        ...levels,
      ],
    },
    legend: [...lines, ...(chart.levels ?? [])].map(({ look }) => look),
  };
}

/** The mean over seeds, and behind it each seed where there are several. */
export function seriesOf(
  { runs }: ComparedMethod,
  look: Look,
  curveOf: (run: ComparedMethod['runs'][number]) => Point[],
): Series[] {
  const found = runs.map(curveOf).filter((points) => points.length > 0);
  if (found.length === 0) return [];
  const shortest = Math.min(...found.map((points) => points.length)); // runs may have stopped early
  const meanOver = (of: (point: Point) => number, i: number): number =>
    found.reduce((sum, points) => sum + of(points[i]), 0) / found.length;
  const mean = found[0]
    .slice(0, shortest)
    .map((_, i) => ({ x: meanOver(({ x }) => x, i), value: meanOver(({ value }) => value, i) }));
  const faint = found.length === 1 ? [] : found.map((points): Series => ({ look, points, faint: true }));
  return [...faint, { look, points: mean }];
}
