import type { Chart } from './chart_card';
import { curves } from './comparison_charts';
import { type Compared, trained } from './compared';
import { layerCurves, type Point, stepCurve } from './curves';
import type { Series } from './line_chart';
import type { Look } from './look';
import { rounded } from './svg';

/** The look of a line that is no method: a term, a layer, a token of an item. */
export function lineLook(name: string, line: number, className: string): Look {
  const symbol = (['circle', 'square', 'triangle', 'diamond'] as const)[line % 4];
  return { name, color: `var(--line-${line % 4})`, symbol, isHollow: line >= 4, className };
}

/** Charts of each method's `diagnostics`, from its first run; none of a term that was off, which is always 0. */
export function diagnosticCharts(compared: Compared): Chart[] {
  return trained(compared).flatMap(({ method: { title: name, diagnostics = [], runs }, look: { className } }) =>
    diagnostics.flatMap(({ title, note, yLabel, lines = [], perLayer }) => {
      const { log } = runs[0];
      const named = lines.map(({ name: line, metric }, i): Series => ({
        look: lineLook(line, i, className),
        points: stepCurve(log, metric),
      }));
      const layers = perLayer === undefined ? [] : layerCurves(log, perLayer);
      const series = [
        ...named.filter(({ points }) => points.some(({ value }) => value !== 0)),
        ...layers.map((points, i): Series => ({
          look: lineLook(layerName(i - layers.length), layers.length - 1 - i, className),
          points,
        })),
      ];
      if (series.every(({ points }) => points.every(({ value }) => value === 0))) return [];
      const chart = { title, xLabel: 'training steps', yLabel, series };
      const trend = layers.length === 0 ? '' : ` ${trendText(layers, yLabel)}`;
      return [curves({ title: `${name}: ${title}`, note: note + trend, chart, className })];
    }),
  );
}

/** 'layer −1', counted back from the final one. */
export function layerName(layer: number): string {
  return `layer −${Math.abs(layer)}`;
}

/** Less than this share of a change counts as none. */
const STEADY = 0.05;

/**
 * What curves of layers do, in words that come from their points.
 *
 * @param curves shallow to deep, the last of them the layer below the final one.
 */
export function trendText(curves: readonly (readonly Point[])[], unit: string): string {
  const parts = curves.flatMap((points, i) => {
    if (points.length < 2) return [];
    const tenth = Math.max(1, Math.floor(points.length / 10));
    const mean = (some: readonly Point[]): number => some.reduce((sum, { value }) => sum + value, 0) / some.length;
    const [from, to] = [mean(points.slice(0, tenth)), mean(points.slice(-tenth))];
    const change =
      Math.abs(to - from) <= STEADY * Math.abs(from) ? 'stays near' : to < from ? 'falls from' : 'rises from';
    const values = change === 'stays near' ? rounded(to) : `${rounded(from)} to ${rounded(to)}`;
    return [`${layerName(i - curves.length)} ${change} ${values} ${unit}`];
  });
  return parts.length === 0 ? '' : `From the first to the last tenth of the steps: ${parts.join('; ')}.`;
}
