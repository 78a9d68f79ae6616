import * as Plot from '@observablehq/plot';
import type { Look } from './look';
import { type Form, PLAIN_AXIS, plotToSvg } from './svg';

/** A stretch of the training in a row of a heat map. */
export interface HeatCell {
  /** In epochs. */
  readonly from: number;
  readonly to: number;
  readonly row: string;
  readonly value: number;
}

export interface HeatMapOptions {
  title: string;
  form: Form;
  look: Look;
  cells: readonly HeatCell[];
  /** The value of the strongest colour. */
  strongest: number;
  /** How a value is written. */
  text: (value: number) => string;
}

/** Draws cells over epochs, a row per layer, as an SVG string; each shows its value under the pointer. */
export function heatMap({ title, form, look, cells, strongest, text }: HeatMapOptions): string {
  const rows = [...new Set(cells.map(({ row }) => row))];
  return plotToSvg(title, form, {
    height: 56 + 30 * rows.length,
    marginLeft: 14 + 6.4 * Math.max(...rows.map((row) => row.length)),
    marginTop: 8,
    marginBottom: 38,
    x: { ...PLAIN_AXIS, label: 'epochs', ticks: form === 'wide' ? 6 : 4 },
    y: { label: null, domain: rows, tickSize: 0 },
    marks: [
      Plot.barX(cells, {
        x1: 'from',
        x2: 'to',
        y: 'row',
        fill: look.color,
        fillOpacity: ({ value }: HeatCell) =>
          strongest === 0 ? 0 : Number(Math.max(0, Math.min(1, value / strongest)).toFixed(3)),
        stroke: 'var(--line)',
        strokeWidth: 0.5,
        insetTop: 1,
        insetBottom: 1,
        title: (cell: HeatCell) => `${cell.row}, ${stretchText(cell)}: ${text(cell.value)}`,
      }),
    ],
  });
}

/** 'epoch 3', or 'epochs 2.50 to 2.75'. */
export function stretchText({ from, to }: Pick<HeatCell, 'from' | 'to'>): string {
  if (Number.isInteger(from) && to === from + 1) return `epoch ${to}`;
  const text = (value: number): string => String(Number(value.toFixed(2)));
  return `epochs ${text(from)} to ${text(to)}`;
}
