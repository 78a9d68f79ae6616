import type { NegativeReport } from '../ilrec/ilrec';
import type { ComparedMethod } from '../runs/comparison';
import type { Chart } from './chart_card';
import { curves } from './comparison_charts';
import { type Compared, trained } from './compared';
import { layerCurves, type Point, thinned } from './curves';
import { layerName, trendText } from './diagnostic_charts';
import { type HeatCell, heatMap, stretchText } from './heat_map';
import { intervalChart } from './interval_chart';
import type { Series } from './line_chart';
import type { Look } from './look';
import { rounded } from './svg';

/** Stretches of a training in a heat map, where it has not between 4 and so many epochs; fewer where maps are many. */
const STRETCHES = { most: 24, least: 6, ofAllMaps: 120 } as const;

/** Share of the looks, the last ones, that tell where negatives arise. */
const LAST_LOOKS = 0.2;

const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;

/** What the first run of a method tells of its layers. */
interface Layered {
  readonly method: ComparedMethod;
  readonly look: Look;
  /** The looks at the negatives, in order; none unless the run was probed. */
  readonly looks: readonly NegativeReport[];
}

function layered(compared: Compared): Layered[] {
  return trained(compared).map(({ method, look }) => ({
    method,
    look,
    looks: method.runs[0].log.flatMap(({ kind, step, negatives }) =>
      kind === 'step' && typeof negatives === 'object' ? [{ ...(negatives as NegativeReport), step }] : [],
    ),
  }));
}

/** The KL of each tapped layer over training, of each method whose log has it. */
export function layerMaps(compared: Compared): Chart[] {
  return layered(compared).flatMap(({ method, look }, _, all) => {
    const layers = layerCurves(method.runs[0].log, 'klPerLayer', Infinity);
    if (layers.length < 2 || layers[0].length < 2) return [];
    const most = Math.max(...layers.flatMap((points) => points.map(({ value }) => value)));
    return [
      layerMap({
        title: `${method.title}: KL of the final layer to each tapped layer`,
        note: `The stronger the colour, the larger, up to ${most.toPrecision(3)} nats. ${trendText(layers, 'nats')}`,
        method,
        look,
        layers,
        maps: all.length,
        strongest: most,
        text: (value) => `${value.toPrecision(3)} nats`,
      }),
    ];
  });
}

/** The overlap of each layer's likeliest tokens with the final layer's, of each method whose run was probed. */
export function overlapMaps(compared: Compared): Chart[] {
  return layered(compared).flatMap(({ method, look, looks }, _, all) => {
    if (looks.length < 2) return [];
    const layers = looks[0].layers.map((_, layer) =>
      looks.map(({ step, layers: own }): Point => ({ x: step, value: own[layer].overlap })),
    );
    return [
      layerMap({
        title: `${method.title}: overlap of each layer with the final one`,
        note:
          "Share of the final layer's ten likeliest tokens that are among the layer's ten, from no colour at 0 to the " +
          `full one at 1. ${trendText(layers, 'of 1')}`,
        method,
        look,
        layers,
        maps: all.length,
        strongest: 1,
        text: percent,
      }),
    ];
  });
}

/** @param layers a curve over steps per layer, shallow to deep. */
function layerMap({
  title,
  note,
  method,
  look,
  layers,
  maps,
  strongest,
  text,
}: {
  title: string;
  note: string;
  /** How many maps of the kind are on the page. */
  maps: number;
  method: ComparedMethod;
  look: Look;
  layers: readonly (readonly Point[])[];
  /** The value of the strongest colour. */
  strongest: number;
  text: (value: number) => string;
}): Chart {
  const most = Math.min(STRETCHES.most, Math.max(STRETCHES.least, Math.floor(STRETCHES.ofAllMaps / maps)));
  const rows = layers.map((points) => stretchesOf(points, method.runs[0].manifest, most));
  const cells = rows.flatMap((row, i) => row.map((cell) => ({ ...cell, row: layerName(i - layers.length) }))).reverse();
  return {
    title,
    note: `${note} The tapped layers count back from the final one.`,
    className: look.className,
    draw: (form) => heatMap({ title, form, look, cells, strongest, text }),
    values: {
      headers: ['', ...layers.map((_, i) => layerName(i - layers.length))],
      rows: rows[0].map((cell, stretch) => [stretchText(cell), ...rows.map((row) => text(row[stretch].value))]),
    },
  };
}

/**
 * Means over epochs, or over equal stretches where there are few epochs or many.
 *
 * @param most stretches.
 */
function stretchesOf(
  points: readonly Point[],
  { steps, stepsPerEpoch }: { readonly steps: number; readonly stepsPerEpoch: number },
  most: number,
): Omit<HeatCell, 'row'>[] {
  const epochs = Math.ceil(steps / stepsPerEpoch);
  const count = epochs >= 4 && epochs <= most ? epochs : Math.min(most, points.length);
  const length = epochs === count ? 1 : steps / stepsPerEpoch / count; // in epochs
  const values: number[][] = Array.from({ length: count }, () => []);
  for (const { x, value } of points) {
    const epoch = (Math.max(1, x) - 1) / stepsPerEpoch; // step 1 is the first one of epoch 0
    values[Math.min(count - 1, Math.floor(epoch / length))].push(value);
  }
  return values.flatMap((own, i) =>
    own.length === 0
      ? []
      : [{ from: i * length, to: (i + 1) * length, value: own.reduce((sum, one) => sum + one, 0) / own.length }],
  );
}

const SHARES = [
  {
    key: 'futureShare',
    title: 'Negatives that the user takes later',
    note: 'Share of the self-hard negatives that lead to a later item of the user. These are false negatives.',
  },
  {
    key: 'likedShare',
    title: "Negatives among the collaborative model's best",
    note: "Share of the self-hard negatives that lead to one of the collaborative model's 50 best items. They may be false.",
  },
  {
    key: 'validShare',
    title: 'Negatives with which an item goes on',
    note: 'Share of the self-hard negatives that constrained decoding could choose at all.',
  },
] as const;

/** What the negatives are, a line per probed method. */
export function negativeCharts(compared: Compared): Chart[] {
  const probed = layered(compared).filter(({ looks }) => looks.length > 0);
  const shares = SHARES.flatMap(({ key, title, note }) => {
    const series = probed.flatMap(({ look, looks }): Series[] => {
      const points = looks.flatMap(({ step, ensemble }) => {
        const value = ensemble[key];
        return value === null ? [] : [{ x: step, value }];
      });
      return points.length === 0 ? [] : [{ look, points: thinned(points) }];
    });
    const chart = { title, xLabel: 'training steps', yLabel: 'share', series };
    return series.length === 0 ? [] : [curves({ title, note, chart })];
  });
  return [...shares, ...depthChart(probed)];
}

/** Where in an item the negatives arise at the end of the training; nothing where an item is one token. */
function depthChart(probed: readonly Layered[]): Chart[] {
  const deep = probed.flatMap(({ look, looks }) => {
    const last = looks.slice(-Math.max(1, Math.round(LAST_LOOKS * looks.length)));
    const depths = Math.max(...last.map(({ byDepth }) => byDepth.length));
    const mean = (depth: number): number =>
      last.reduce((sum, { byDepth }) => sum + (byDepth[depth] ?? 0), 0) / last.length;
    return depths < 2 ? [] : [{ look, counts: Array.from({ length: depths }, (_, depth) => mean(depth)) }];
  });
  if (deep.length === 0) return [];
  const title = 'Negatives at each token of an item';
  const groups = deep[0].counts.map((_, depth) => ({
    heading: `token ${depth + 1}`,
    rows: deep.map(({ look, counts }) => ({ look, value: counts[depth] ?? 0 })),
  }));
  return [
    {
      title,
      note: 'Mean count at the first, second, ... token of an item, over the last fifth of the looks.',
      draw: (form) => intervalChart({ title, form, xLabel: 'negatives', groups }),
      values: {
        headers: ['', ...groups.map(({ heading }) => heading)],
        rows: deep.map(({ look, counts }) => [look.name, ...counts.map(rounded)]),
      },
    },
  ];
}
