import * as Plot from '@observablehq/plot';
import type { ComparedSlice, Comparison } from '../runs/comparison';
import { CHART_STYLE, plotToSvg } from './charts';
import type { Chart } from './comparison_charts';
import { layerCurves } from './curves';
import { colorOf, titlesOf } from './method_style';

const BY = {
  history: { title: 'NDCG@10 by items in the history', unit: 'items', note: 'Quarters of the users.' },
  popularity: {
    title: 'NDCG@10 by interactions of the target',
    unit: 'interactions',
    note: 'Quarters of the catalogue by interactions in the training part.',
  },
} as const;

/** NDCG@10 with its interval per method, in each slice of the users. */
export function sliceCharts(comparison: Comparison): Chart[] {
  return (['history', 'popularity'] as const).flatMap((by) => {
    const slices = comparison.slices.filter((slice) => slice.by === by);
    const { title, note } = BY[by];
    const equal = 'Equal values stay together, so quarters differ in size. The count of users stands below the range.';
    return slices.length === 0 ? [] : [{ title, note: `${note} ${equal}`, svg: sliceChart(comparison, slices, title) }];
  });
}

function sliceChart(comparison: Comparison, slices: readonly ComparedSlice[], title: string): string {
  const titleOf = titlesOf(comparison);
  const rows = slices.flatMap((slice) =>
    slice.methods.map(({ method, mean, ci95: [low, high] }) => ({
      slice: labelOf(slice),
      unit: BY[slice.by].unit,
      method,
      mean,
      low,
      high,
    })),
  );
  const place = { fy: 'slice', y: 'method' } as const;
  type Row = (typeof rows)[number];
  const stroke = ({ method }: Row): string => colorOf(method);
  return plotToSvg(title, {
    width: 520,
    height: 50 + slices.length * (12 + 13 * comparison.methods.length),
    marginLeft: 100,
    marginRight: 16,
    marginBottom: 36,
    style: CHART_STYLE,
    color: { type: 'identity' },
    x: { label: 'NDCG@10', labelAnchor: 'center', labelArrow: 'none', grid: true, ticks: 5, tickSize: 0, zero: true },
    y: { domain: comparison.methods.map(({ method }) => method), axis: null },
    fy: { domain: slices.map(labelOf), label: null, axis: null, padding: 0.12 },
    marks: [
      Plot.ruleY(rows, { ...place, x1: 'low', x2: 'high', stroke, strokeWidth: 2.5, strokeOpacity: 0.55 }),
      Plot.dot(rows, {
        ...place,
        x: 'mean',
        fill: stroke,
        r: 4,
        title: ({ slice, unit, method, mean, low, high }: Row) =>
          `${titleOf(method)}, ${slice.replace('\n', ` ${unit}, `)}: ${mean.toFixed(4)} [${low.toFixed(4)}, ${high.toFixed(4)}]`,
      }),
      Plot.text(slices.map(labelOf), {
        fy: (text: string) => text,
        text: (text: string) => text,
        frameAnchor: 'left',
        textAnchor: 'end',
        dx: -10,
        fill: 'currentColor',
      }),
    ],
  });
}

/** '3 to 5' over '812 users'. */
function labelOf({ low, high, users }: ComparedSlice): string {
  return `${low === high ? low : `${low} to ${high}`}\n${users} users`;
}

/** Stretches of steps in a heat map. */
const STRETCHES = 48;

/** The KL of each tapped layer over training, of each method whose log has it. */
export function layerMaps({ methods }: Comparison): Chart[] {
  return methods.flatMap(({ method, title: name, runs: [{ log }] }) => {
    const curves = layerCurves(log, 'klPerLayer', STRETCHES);
    if (curves.length < 2 || curves[0].length < 2) return [];
    const cells = curves.flatMap((points, layer) =>
      points.map(({ x, value }, i) => ({
        from: i === 0 ? 0 : points[i - 1].x,
        to: x,
        layer: layer - curves.length,
        value,
      })),
    );
    const most = Math.max(...cells.map(({ value }) => value));
    const title = `${name}: KL of the final layer to each tapped layer`;
    const svg = plotToSvg(title, {
      width: 520,
      height: 64 + 30 * curves.length,
      marginLeft: 60,
      marginBottom: 36,
      style: CHART_STYLE,
      x: { label: 'training steps', labelAnchor: 'center', labelArrow: 'none', ticks: 5, tickSize: 0 },
      y: {
        label: null,
        domain: curves.map((_, i) => -1 - i),
        tickSize: 0,
        tickFormat: (layer: number) => `layer ${layer}`,
      },
      marks: [
        Plot.barX(cells, {
          x1: 'from',
          x2: 'to',
          y: 'layer',
          fill: colorOf(method),
          fillOpacity: ({ value }: { value: number }) => (most === 0 ? 0 : value / most),
          insetTop: 1,
          insetBottom: 1,
          title: ({ from, to, layer, value }: (typeof cells)[number]) =>
            `layer ${layer}, steps ${from} to ${to}: ${value.toPrecision(3)} nats`,
        }),
      ],
    });
    const note = `The stronger the colour, the larger, up to ${most.toPrecision(3)} nats. Layers count back from the final one.`;
    return [{ title, note, svg }];
  });
}
