import * as Plot from '@observablehq/plot';
import { type Point, thinned } from './curves';
import { dotOf, type Look } from './look';
import { type Form, PLAIN_AXIS, plotToSvg, rounded } from './svg';

/** A line of a chart. */
export interface Series {
  readonly look: Look;
  readonly points: readonly Point[];
  /** Thin and pale: a single seed behind its mean. */
  readonly faint?: boolean;
  /** 95 % interval of each point, drawn upright. */
  readonly intervals?: readonly (readonly [number, number])[];
}

/** A value that holds at every step, drawn as a dashed line. */
export interface Level {
  readonly look: Look;
  readonly value: number;
}

export interface LineChartOptions {
  title: string;
  form: Form;
  xLabel: string;
  yLabel: string;
  series: readonly Series[];
  levels?: readonly Level[];
  /** Whether every point has its shape; else four of a line have. */
  dots?: boolean;
  logX?: boolean;
}

/** Pixels between the names of two lines. */
const LABEL_HEIGHT = 14;

/** Points of a line that show its shape. */
const MAX_SHAPES = 4;

/** Points of all lines together, so that a page of many charts stays small; a line has a few in any case. */
const MAX_POINTS = { wide: 900, narrow: 340 } as const;
const LEAST_POINTS = 24;

/** Those of all lines together that show their value under the pointer. */
const MAX_HOVERED = { wide: 140, narrow: 60 } as const;
const [LEAST_HOVERED, MOST_HOVERED] = [4, 20];

const TOP = 26;
const BOTTOM = 36;

/** Share of the x axis between the end of the lines and their names. */
const GUTTER = 0.05;

/** Letters of a name beside a chart. */
const NAME_LENGTH = 26;
const NARROW_NAME = 10;

/** The chart alone needs no names of lines where a legend stands below it. */
const NAMES_AT_MOST = { wide: 24, narrow: 4 } as const;

/**
 * Draws lines over training steps or seconds as an SVG string, each with values under the pointer and its name at the
 * end. Many names make the chart higher, so that none lies on another.
 */
export function lineChart(options: LineChartOptions): string {
  const { title, form, xLabel, yLabel, levels = [], dots = false, logX = false } = options;
  const lines = options.series.filter(({ points, faint }) => points.length > 0 && (faint !== true || form === 'wide'));
  const most = Math.max(LEAST_POINTS, Math.floor(MAX_POINTS[form] / lines.length));
  const series = dots ? lines : lines.map((line) => ({ ...line, points: thinned(line.points, most) }));
  const share = Math.floor(MAX_HOVERED[form] / lines.length);
  const hovered = Math.min(MOST_HOVERED, Math.max(LEAST_HOVERED, share));
  const named = series.filter(({ faint }) => faint !== true);
  const xs = series.flatMap(({ points }) => points.map(({ x }) => x));
  const [first, last] = logX ? [Math.min(...xs), Math.max(...xs)] : [0, Math.max(1, ...xs)];
  const gutter = logX ? last * (last / first) ** GUTTER : last * (1 + GUTTER);
  const ends = [
    ...named.map(({ look, points }) => ({ look, ...points[points.length - 1] })),
    ...levels.map(({ look, value }) => ({ look, x: last, value })),
  ];
  const longest = Math.max(0, ...ends.map(({ look }) => shortened(look.name).length));
  const hasNames = ends.length <= NAMES_AT_MOST[form] && (form === 'wide' || longest <= NARROW_NAME);
  const height = Math.max(300, hasNames ? TOP + BOTTOM + LABEL_HEIGHT * (ends.length + 1) : 0);
  const domain = domainOf(series, levels);
  const labels = hasNames ? apart(ends, domain, height) : [];
  return plotToSvg(title, form, {
    height,
    marginLeft: 46,
    marginRight: hasNames ? 14 + 6.2 * longest : 10,
    marginTop: TOP,
    marginBottom: BOTTOM,
    x: {
      ...PLAIN_AXIS,
      type: logX ? 'log' : 'linear',
      domain: [first, hasNames ? gutter : last],
      label: xLabel,
      ...(logX ? { tickFormat: '~s', ticks: form === 'wide' ? 5 : 3 } : {}),
    },
    y: { ...PLAIN_AXIS, domain, label: yLabel, labelAnchor: 'top', grid: true },
    marks: [
      ...levels.map(({ look, value }) =>
        Plot.ruleY([value], {
          x1: first,
          x2: last,
          stroke: look.color,
          strokeDasharray: '4 4',
          strokeWidth: 1.25,
          className: look.className,
          title: () => `${look.name}: ${value.toFixed(4)}`,
        }),
      ),
      ...series.flatMap((one) => marksOf(one, dots, xLabel, hovered)),
      ...labels.flatMap(({ look, x, value, at }) => [
        Plot.line([[x, value] as const, [last, value] as const, [gutter, at] as const], {
          x: '0',
          y: '1',
          stroke: look.color,
          strokeDasharray: '1 3',
          strokeOpacity: 0.6,
          className: look.className,
        }),
        Plot.text([shortened(look.name)], {
          x: [gutter],
          y: [at],
          dx: 3,
          textAnchor: 'start',
          fill: look.color,
          fontWeight: 600,
          className: look.className,
        }),
      ]),
    ],
  });
}

/** One line with the shapes on it. */
function marksOf(
  { look, points, faint = false, intervals = [] }: Series,
  dots: boolean,
  xLabel: string,
  hoveredPoints: number,
): Plot.Markish[] {
  const line = Plot.line(points, {
    x: 'x',
    y: 'value',
    stroke: look.color,
    strokeWidth: faint ? 1 : 2,
    strokeOpacity: faint ? 0.35 : 1,
    strokeLinejoin: 'round',
    strokeLinecap: 'round',
    className: look.className,
    ...(faint ? { title: () => `${look.name}, one seed` } : {}),
  });
  if (faint) return [line];
  const some = (most: number): Point[] => {
    const every = Math.ceil(points.length / most);
    return points.filter((_, i) => (points.length - 1 - i) % every === 0);
  };
  const shown = dots ? points : some(MAX_SHAPES);
  const textOf = ({ x, value }: Point): string => {
    const range =
      intervals.length === 0 ? '' : ` [${intervals[points.findIndex((one) => one.x === x)].map(rounded).join(', ')}]`;
    return `${look.name}, ${xLabel} ${x < 10 ? Number(x.toFixed(2)) : Math.round(x)}: ${rounded(value)}${range}`;
  };
  return [
    line,
    ...intervals.map(([low, high], i) =>
      Plot.ruleX([points[i].x], {
        y1: low,
        y2: high,
        stroke: look.color,
        strokeWidth: 2,
        strokeOpacity: 0.45,
        className: look.className,
      }),
    ),
    Plot.dot(shown, { x: 'x', y: 'value', r: 3.2, ...dotOf(look), strokeWidth: 1.2, title: dots ? textOf : undefined }),
    ...(dots
      ? []
      : [
          Plot.dot(some(hoveredPoints), {
            x: 'x',
            y: 'value',
            r: 7,
            fill: look.color,
            fillOpacity: 0,
            className: look.className,
            title: textOf,
          }),
        ]),
  ];
}

/** Smallest and largest value, with some room on both sides. */
function domainOf(series: readonly Series[], levels: readonly Level[]): [number, number] {
  const values = [
    ...series.flatMap(({ points, intervals = [] }) => [...points.map(({ value }) => value), ...intervals.flat()]),
    ...levels.map(({ value }) => value),
  ];
  if (values.length === 0) return [0, 1];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = high === low ? Math.max(Math.abs(high), 1e-6) / 10 : (high - low) * 0.06;
  return [low >= 0 ? Math.max(0, low - room) : low - room, high + room];
}

/** Moves names apart that would lie on one another; `at` is in the units of y. */
function apart<T extends { readonly value: number }>(
  ends: readonly T[],
  [low, high]: readonly [number, number],
  height: number,
): (T & { at: number })[] {
  const perPixel = (high - low) / (height - TOP - BOTTOM);
  const gap = LABEL_HEIGHT * perPixel;
  const sorted = ends.map((end) => ({ ...end, at: end.value })).sort((a, b) => a.value - b.value);
  for (let i = 1; i < sorted.length; i++) sorted[i].at = Math.max(sorted[i].at, sorted[i - 1].at + gap);
  for (let i = sorted.length - 1; i >= 0; i--)
    sorted[i].at = Math.min(sorted[i].at, i === sorted.length - 1 ? high : sorted[i + 1].at - gap);
  return sorted;
}

/** A name that fits beside a chart; names of arms often differ at their end. */
function shortened(name: string): string {
  return name.length <= NAME_LENGTH
    ? name
    : `${name.slice(0, 11).trimEnd()}…${name.slice(12 - NAME_LENGTH).trimStart()}`;
}
