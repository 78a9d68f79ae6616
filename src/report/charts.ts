import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import type { Point } from './curves';

/** A named line of a chart; `color` is any CSS colour, custom properties included. */
export interface Series {
  readonly name: string;
  readonly color: string;
  readonly points: readonly Point[];
  /** Thin and pale: a single seed behind its mean. */
  readonly faint?: boolean;
}

/** A value that holds at every step, drawn as a dashed line. */
export interface Level {
  readonly name: string;
  readonly color: string;
  readonly value: number;
}

export interface LineChartOptions {
  title: string;
  yLabel: string;
  series: readonly Series[];
  levels?: readonly Level[];
  width?: number;
  height?: number;
  logY?: boolean;
  dots?: boolean;
}

/** An object: linkedom takes no style as text. */
const CHART_STYLE = {
  background: 'none',
  'font-family': 'system-ui, sans-serif',
  'font-size': '11px',
  color: 'var(--ink-soft, currentColor)',
  overflow: 'visible',
} as unknown as Partial<CSSStyleDeclaration>;

/** Lines over training steps as an SVG string, each named at its end. */
export function lineChart({
  title,
  yLabel,
  series,
  levels = [],
  width = 520,
  height = 300,
  logY = false,
  dots = false,
}: LineChartOptions): string {
  const named = series.filter(({ points, faint }) => points.length > 0 && faint !== true);
  const labels = spread(
    [...named.map(({ name, color, points }) => ({ name, color, value: points[points.length - 1].value })), ...levels],
    { series, levels, height, logY },
  );
  const lastStep = Math.max(1, ...series.flatMap(({ points }) => points.map(({ step }) => step)));
  return plotToSvg(title, {
    width,
    height,
    marginLeft: 52,
    marginRight: 92,
    marginTop: 24,
    marginBottom: 36,
    style: CHART_STYLE,
    x: {
      domain: [0, lastStep],
      label: 'training steps',
      labelAnchor: 'center',
      labelArrow: 'none',
      ticks: 5,
      tickSize: 0,
    },
    y: {
      type: logY ? 'log' : 'linear',
      label: yLabel,
      labelArrow: 'none',
      grid: true,
      ticks: logY ? 3 : 5,
      tickSize: 0,
      nice: true,
      tickFormat: logY ? '~g' : undefined,
    },
    marks: [
      ...levels.map(({ value, color }) =>
        Plot.ruleY([value], { stroke: color, strokeDasharray: '4 4', strokeWidth: 1.25 }),
      ),
      ...series
        .filter(({ points }) => points.length > 0)
        .flatMap(({ points, color, faint }) => [
          Plot.line(points, {
            x: 'step',
            y: 'value',
            stroke: color,
            strokeWidth: faint === true ? 1 : 2.25,
            strokeOpacity: faint === true ? 0.35 : 1,
            strokeLinejoin: 'round',
            strokeLinecap: 'round',
          }),
          ...(dots && faint !== true ? [Plot.dot(points, { x: 'step', y: 'value', fill: color, r: 2.75 })] : []),
        ]),
      ...labels.map(({ name, color, at }) =>
        Plot.text([name], { x: [lastStep], y: [at], dx: 8, textAnchor: 'start', fill: color, fontWeight: 600 }),
      ),
    ],
  });
}

/** A dot with its interval per row. */
export interface IntervalRow {
  readonly name: string;
  readonly color: string;
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** Dots with intervals, one row each, as an SVG string. @param zero whether a line marks zero. */
export function intervalChart({
  title,
  xLabel,
  rows,
  zero = false,
  width = 520,
}: {
  title: string;
  xLabel: string;
  rows: readonly IntervalRow[];
  zero?: boolean;
  width?: number;
}): string {
  return plotToSvg(title, {
    width,
    height: 58 + 30 * rows.length,
    marginLeft: 116,
    marginRight: 24,
    marginBottom: 36,
    style: CHART_STYLE,
    x: {
      label: xLabel,
      labelAnchor: 'center',
      labelArrow: 'none',
      grid: true,
      ticks: 5,
      tickSize: 0,
      nice: true,
      zero: !zero,
    },
    y: { domain: rows.map(({ name }) => name), label: null, tickSize: 0 },
    marks: [
      ...(zero ? [Plot.ruleX([0], { stroke: 'var(--ink, currentColor)', strokeWidth: 1.25 })] : []),
      ...rows.flatMap((row) => [
        Plot.ruleY([row], {
          x1: 'low',
          x2: 'high',
          y: 'name',
          stroke: row.color,
          strokeWidth: 3,
          strokeOpacity: 0.45,
          strokeLinecap: 'round',
        }),
        Plot.dot([row], { x: 'value', y: 'name', fill: row.color, r: 5 }),
      ]),
    ],
  });
}

/** Moves labels apart that would lie on one another; `at` is in the units of y. */
function spread(
  labels: readonly Level[],
  { series, levels, height, logY }: Required<Pick<LineChartOptions, 'series' | 'levels' | 'height' | 'logY'>>,
): (Level & { at: number })[] {
  const scale = logY ? Math.log : (value: number): number => value;
  const back = logY ? Math.exp : (value: number): number => value;
  const values = [
    ...series.flatMap(({ points }) => points.map(({ value }) => value)),
    ...levels.map(({ value }) => value),
  ].map(scale);
  const gap = ((Math.max(...values) - Math.min(...values)) * 14) / (height - 60); // 14 pixels
  const sorted = labels.map((label) => ({ ...label, at: scale(label.value) })).sort((a, b) => a.at - b.at);
  for (let i = 1; i < sorted.length; i++) sorted[i].at = Math.max(sorted[i].at, sorted[i - 1].at + gap);
  return sorted.map((label) => ({ ...label, at: back(label.at) }));
}

function plotToSvg(title: string, options: Plot.PlotOptions): string {
  const { document } = parseHTML('<!doctype html><html><body></body></html>');
  const svg = Plot.plot({ ...options, document: document as unknown as Document });
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', title);
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  return (svg as unknown as { outerHTML: string }).outerHTML;
}
