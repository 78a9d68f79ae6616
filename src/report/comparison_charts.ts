import type { Comparison, ComparedMethod } from '../runs/comparison';
import { intervalChart, lineChart, type Level, type Series } from './charts';
import { evaluationCurve, klCurves, type Point, stepCurve } from './curves';
import { METHOD_TITLES } from './method_names';

/** A chart with what stands above and below it. */
export interface Chart {
  readonly title: string;
  readonly note: string;
  readonly svg: string;
}

/** Validation NDCG@10 after each epoch, one line per trained method, with the floors that need no training. */
export function ndcgChart({ methods }: Comparison): Chart {
  const series = methods.flatMap((method) => seriesOf(method, (run) => evaluationCurve(run.log, 'ndcg@10')));
  const levels = methods.flatMap(({ method, runs }): Level[] => {
    const value = runs[0].log.length === 0 ? runs[0].manifest.validation?.best?.metrics['ndcg@10'] : undefined;
    return value === undefined ? [] : [{ name: METHOD_TITLES[method], color: colorOf(method), value }];
  });
  const title = 'Validation NDCG@10';
  const users = methods.map(({ runs }) => runs[0].manifest.validation?.users).find((count) => count !== undefined);
  return {
    title,
    note:
      users === undefined
        ? 'No validation was asked for.'
        : `Measured on the same ${users} validation users for all methods; dashed: no training.`,
    svg: lineChart({ title, yLabel: 'NDCG@10', series, levels, dots: true }),
  };
}

/** Cross-entropy of the language models while training; SASRec's is over items, so it is not comparable and left out. */
export function lossChart({ methods }: Comparison): Chart {
  const series = languageModels(methods).flatMap((method) =>
    seriesOf(method, (run) => stepCurve(run.log, 'crossEntropy')),
  );
  const title = 'Training cross-entropy per token';
  return {
    title,
    note: 'The same quantity for both language models, without ILRec’s own terms. Nats, mean over response positions.',
    svg: lineChart({ title, yLabel: 'cross-entropy', series }),
  };
}

/** Test metric with its interval, one row per method. */
export function metricChart({ methods }: Comparison, metric: 'ndcg@10' | 'hr@10'): Chart {
  const rows = methods.map(({ method, mean, ci95 }) => ({
    name: METHOD_TITLES[method],
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

/** Paired differences in NDCG@10; an interval that crosses the line shows no difference. */
export function differenceChart({ pairs }: Comparison): Chart {
  const rows = pairs.map(({ a, b, difference, ci95 }) => ({
    name: `${METHOD_TITLES[a]} − ${METHOD_TITLES[b]}`,
    color: colorOf(a),
    value: difference,
    low: ci95[0],
    high: ci95[1],
  }));
  const title = 'Paired difference in NDCG@10';
  return {
    title,
    note: 'The same users on both sides. An interval that crosses the line shows no difference.',
    svg: intervalChart({ title, xLabel: 'difference in NDCG@10', rows, zero: true }),
  };
}

/** ILRec's own terms over time; empty where no run has them. */
export function diagnosticCharts({ methods }: Comparison): Chart[] {
  const ilrec = methods.find(({ method }) => method === 'ilrec');
  if (ilrec === undefined) return [];
  const { log } = ilrec.runs[0];
  const line = (name: string, color: string, metric: string): Series => ({
    name,
    color,
    points: stepCurve(log, metric),
  });
  const kl = klCurves(log);
  const layers = kl.map((points, i): Series => ({
    name: `layer ${i - kl.length} `,
    color: `var(--layer-${Math.min(4, 4 - kl.length + 1 + i)})`,
    points,
  }));
  const small = { width: 520, height: 250 };
  const charts: Chart[] = [
    {
      title: 'Negatives per token',
      note: 'Tokens that the intermediate layers rank above the threshold: |N|, mean over response positions.',
      svg: lineChart({
        ...small,
        title: 'Negatives per token',
        yLabel: 'tokens',
        series: [line('|N|', 'var(--ilrec)', 'numNegatives')],
      }),
    },
    {
      title: 'Penalty mass',
      note: 'Probability that the final layer gives to the negatives. Near zero, the penalty does nothing.',
      svg: lineChart({
        ...small,
        title: 'Penalty mass',
        yLabel: 'probability',
        series: [line('mass', 'var(--ilrec)', 'penaltyMass')],
      }),
    },
    {
      title: 'KL from the final layer to each intermediate layer',
      note: 'Layers are counted from the final one. Falling lines: the distillation works.',
      svg: lineChart({ ...small, title: 'KL per layer', yLabel: 'nats', series: layers }),
    },
    {
      title: 'Terms of the loss',
      note: 'Unweighted values; a term that stays at zero is switched off.',
      svg: lineChart({
        ...small,
        title: 'Terms of the loss',
        yLabel: 'nats',
        series: [
          line('CPO', 'var(--ilrec)', 'cpo'),
          line('CPD', 'var(--sasrec)', 'cpd'),
          line('CRR', 'var(--sft)', 'crr'),
          line('cross-entropy', 'var(--popularity)', 'crossEntropy'),
        ],
      }),
    },
  ];
  return charts;
}

/** The colour of a method, as a custom property of the report's style sheet. */
export function colorOf(method: ComparedMethod['method']): string {
  return `var(--${method})`;
}

function languageModels(methods: readonly ComparedMethod[]): ComparedMethod[] {
  return methods.filter(({ method }) => method === 'sft' || method === 'ilrec');
}

/** The mean over seeds, and behind it each seed where there are several. */
function seriesOf(
  { method, runs }: ComparedMethod,
  curveOf: (run: ComparedMethod['runs'][number]) => Point[],
): Series[] {
  const curves = runs.map(curveOf).filter((points) => points.length > 0);
  if (curves.length === 0) return [];
  const shortest = Math.min(...curves.map((points) => points.length)); // runs may have stopped early
  const mean = curves[0]
    .slice(0, shortest)
    .map(({ step }, i) => ({ step, value: curves.reduce((sum, points) => sum + points[i].value, 0) / curves.length }));
  const [name, color] = [METHOD_TITLES[method], colorOf(method)];
  const faint = curves.length === 1 ? [] : curves.map((points): Series => ({ name, color, points, faint: true }));
  return [...faint, { name, color, points: mean }];
}
