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
  /** Default 'training steps'. */
  xLabel?: string;
  yLabel: string;
  series: readonly Series[];
  levels?: readonly Level[];
  width?: number;
  height?: number;
  logY?: boolean;
  dots?: boolean;
}

/** Pixels between the names of two lines. */
const LABEL_HEIGHT = 16;

/** Points of a line that show their value under the pointer. */
const MAX_HOVERED = 24;

/** An object: linkedom takes no style as text. */
export const CHART_STYLE = {
  background: 'none',
  'font-family': 'system-ui, sans-serif',
  'font-size': '11px',
  color: 'var(--ink-soft, currentColor)',
  overflow: 'visible',
} as unknown as Partial<CSSStyleDeclaration>;

/** Lines over training steps or seconds as an SVG string, each named at its end, with values under the pointer. */
export function lineChart({
  title,
  xLabel = 'training steps',
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
  const last = Math.max(1, ...series.flatMap(({ points }) => points.map(({ x }) => x)));
  return plotToSvg(title, {
    width,
    height,
    marginLeft: 52,
    marginRight: 92,
    marginTop: 24,
    marginBottom: 36,
    style: CHART_STYLE,
    x: {
      domain: [0, last],
      label: xLabel,
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
      ...levels.map(({ name, value, color }) =>
        Plot.ruleY([value], {
          stroke: color,
          strokeDasharray: '4 4',
          strokeWidth: 1.25,
          title: () => `${name}: ${value.toFixed(4)}`,
        }),
      ),
      ...series
        .filter(({ points }) => points.length > 0)
        .flatMap(({ name, points, color, faint }) => [
          Plot.line(points, {
            x: 'x',
            y: 'value',
            stroke: color,
            strokeWidth: faint === true ? 1 : 2.25,
            strokeOpacity: faint === true ? 0.35 : 1,
            strokeLinejoin: 'round',
            strokeLinecap: 'round',
          }),
          ...(faint === true ? [] : [hovered(name, color, points, dots, xLabel)]),
        ]),
      ...labels.map(({ name, color, at }) =>
        Plot.text([name], { x: [last], y: [at], dx: 8, textAnchor: 'start', fill: color, fontWeight: 600 }),
      ),
    ],
  });
}

/** Dots that show their values under the pointer; unseen where the line has none. */
function hovered(name: string, color: string, points: readonly Point[], isSeen: boolean, xLabel: string): Plot.Dot {
  const every = isSeen ? 1 : Math.ceil(points.length / MAX_HOVERED);
  return Plot.dot(
    points.filter((_, i) => i % every === 0 || i === points.length - 1),
    {
      x: 'x',
      y: 'value',
      fill: color,
      fillOpacity: isSeen ? 1 : 0,
      r: isSeen ? 2.75 : 6,
      title: ({ x, value }: Point) => `${name}, ${xLabel} ${Math.round(x)}: ${rounded(value)}`,
    },
  );
}

/** Four decimals, or four digits of small numbers. */
function rounded(value: number): string {
  return Math.abs(value) < 0.01 ? value.toPrecision(4) : value.toFixed(4);
}

/** A dot with its interval per row. */
export interface IntervalRow {
  readonly name: string;
  readonly color: string;
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/**
 * Dots with intervals, one row each, as an SVG string, with values under the pointer.
 *
 * @param zero whether a line marks zero; without it, bars start there.
 */
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
    marginLeft: Math.max(96, 16 + 7.5 * Math.max(...rows.map(({ name }) => name.length))),
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
        ...(zero
          ? []
          : [
              Plot.barX([row], {
                x1: 0,
                x2: 'value',
                y: 'name',
                fill: row.color,
                fillOpacity: 0.22,
                insetTop: 5,
                insetBottom: 5,
              }),
            ]),
        Plot.ruleY([row], {
          x1: 'low',
          x2: 'high',
          y: 'name',
          stroke: row.color,
          strokeWidth: 3,
          strokeOpacity: 0.6,
          strokeLinecap: 'round',
        }),
        Plot.dot([row], { x: 'value', y: 'name', fill: row.color, r: 5, title: rowText }),
      ]),
    ],
  });
}

function rowText({ name, value, low, high }: IntervalRow): string {
  return `${name}: ${rounded(value)} [${rounded(low)}, ${rounded(high)}]`;
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
  const gap = ((Math.max(...values) - Math.min(...values)) * LABEL_HEIGHT) / (height - 60);
  const sorted = labels.map((label) => ({ ...label, at: scale(label.value) })).sort((a, b) => a.at - b.at);
  for (let i = 1; i < sorted.length; i++) sorted[i].at = Math.max(sorted[i].at, sorted[i - 1].at + gap);
  return sorted.map((label) => ({ ...label, at: back(label.at) }));
}

export function plotToSvg(title: string, options: Plot.PlotOptions): string {
  const { document } = parseHTML('<!doctype html><html><body></body></html>');
  const svg = Plot.plot({ ...options, document: document as unknown as Document });
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', title);
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  return (svg as unknown as { outerHTML: string }).outerHTML;
}
