import * as Plot from '@observablehq/plot';
import { dotOf, type Look } from './look';
import { type Form, PLAIN_AXIS, plotToSvg, rounded } from './svg';

/** A value with its interval, if it has one. */
export interface IntervalRow {
  readonly look: Look;
  readonly value: number;
  readonly low?: number;
  readonly high?: number;
}

/** Rows under a heading of their own, on the axis of the other groups. */
export interface IntervalGroup {
  readonly heading?: string;
  readonly rows: readonly IntervalRow[];
}

export interface IntervalChartOptions {
  title: string;
  form: Form;
  xLabel: string;
  groups: readonly IntervalGroup[];
  /** Whether each row has a bar from zero; otherwise the axis need not hold zero. Default true. */
  bars?: boolean;
}

const ROW_HEIGHT = 21;
/** With several groups, as those hold the same rows again and again. */
const DENSE_ROW_HEIGHT = 14.5;
const NAME_ABOVE_HEIGHT = 35;

/** Names up to this length stand beside their row, longer ones above it. */
const BESIDE_AT_MOST = { wide: 34, narrow: 14 } as const;

/**
 * Draws values with their intervals, a row each, as an SVG string. Each row shows its numbers wherever the pointer is in
 * it, and its name beside it, or above it where it is long.
 */
export function intervalChart({ title, form, xLabel, groups, bars = true }: IntervalChartOptions): string {
  const rows = groups.flatMap(({ heading, rows: own }, group) =>
    own.map((row, i) => ({ ...row, heading, key: `${group} ${i}` })),
  );
  const heads = groups.flatMap(({ heading }, group) => (heading === undefined ? [] : [{ heading, key: `${group}` }]));
  const order = groups.flatMap(({ heading, rows: own }, group) => [
    ...(heading === undefined ? [] : [`above ${group}`, `${group}`]),
    ...own.map((_, i) => `${group} ${i}`),
  ]);
  const longest = Math.max(0, ...rows.map(({ look }) => look.name.length));
  const isBeside = longest <= BESIDE_AT_MOST[form];
  const beside = groups.length > 1 ? DENSE_ROW_HEIGHT : ROW_HEIGHT;
  const rowHeight = isBeside ? beside : NAME_ABOVE_HEIGHT;
  const dotRadius = groups.length > 1 ? 3.4 : 4.2;
  const shift = isBeside ? 0 : 8; // names above: the marks lie in the lower part of their row
  const bounds = [...(bars ? [0] : []), ...rows.flatMap(({ value, low = value, high = value }) => [low, high])];
  const domain = [Math.min(...bounds), Math.max(...bounds)];
  const at = { y: 'key' } as const;
  return plotToSvg(title, form, {
    height: 56 + rowHeight * order.length,
    marginLeft: isBeside ? 12 + 6.4 * longest : 10,
    marginRight: 16,
    marginTop: 16,
    marginBottom: 40,
    x: {
      ...PLAIN_AXIS,
      ticks: form === 'wide' ? 5 : 4,
      label: xLabel,
      grid: true,
      nice: true,
      domain,
    },
    y: { domain: order, axis: null, padding: 0.1 },
    marks: [
      ...(bars ? [Plot.ruleX([0], { stroke: 'var(--ink, currentColor)', strokeWidth: 1.25 })] : []),
      Plot.text(heads, {
        ...at,
        text: 'heading',
        frameAnchor: 'left',
        textAnchor: 'start',
        dx: isBeside ? -(6.4 * longest) : 0,
        fill: 'var(--ink, currentColor)',
        fontWeight: 600,
      }),
      ...[...byLook(rows).values()].flatMap((own) => {
        const [{ look }] = own;
        const { className, color } = look;
        return [
          ...(bars
            ? [
                Plot.barX(own, {
                  ...at,
                  x1: 0,
                  x2: 'value',
                  fill: color,
                  fillOpacity: 0.22,
                  insetTop: isBeside ? 3 : 17,
                  insetBottom: 3,
                  className,
                }),
              ]
            : []),
          Plot.ruleY(own, {
            ...at,
            x1: 'low',
            x2: 'high',
            dy: shift,
            stroke: color,
            strokeWidth: 2.5,
            strokeOpacity: 0.6,
            strokeLinecap: 'round',
            className,
          }),
          Plot.dot(own, { ...at, x: 'value', dy: shift, r: dotRadius, ...dotOf(look), strokeWidth: 1.6 }),
          Plot.text(own, {
            ...at,
            text: () => look.name,
            frameAnchor: 'left',
            textAnchor: isBeside ? 'end' : 'start',
            dx: isBeside ? -8 : 0,
            dy: isBeside ? 0 : -8,
            fill: 'currentColor',
            className,
          }),
          // the whole row, for the pointer
          Plot.barX(own, { ...at, x1: domain[0], x2: domain[1], fillOpacity: 0, title: rowText, className }),
        ];
      }),
    ],
  });
}

function byLook<Row extends IntervalRow>(rows: readonly Row[]): Map<string, Row[]> {
  const found = new Map<string, Row[]>();
  for (const row of rows) found.set(row.look.className, [...(found.get(row.look.className) ?? []), row]);
  return found;
}

function rowText({ look, heading, value, low, high }: IntervalRow & { heading?: string }): string {
  return `${look.name}${heading === undefined ? '' : `, ${heading}`}: ${intervalText({ value, low, high })}`;
}

/** '0.1000 [0.0500, 0.1500]', or '0.1000'. */
export function intervalText({ value, low, high }: Pick<IntervalRow, 'value' | 'low' | 'high'>): string {
  return low === undefined || high === undefined
    ? rounded(value)
    : `${rounded(value)} [${rounded(low)}, ${rounded(high)}]`;
}
