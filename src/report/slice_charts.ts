import type { ComparedSlice } from '../runs/comparison';
import type { Chart } from './chart_card';
import { type Compared, lookOf } from './compared';
import { intervalChart, intervalText } from './interval_chart';

const BY = {
  history: { title: 'NDCG@10 by items in the history', one: 'item', unit: 'items', note: 'Quarters of the users.' },
  popularity: {
    title: 'NDCG@10 by interactions of the target',
    one: 'interaction',
    unit: 'interactions',
    note: 'Quarters of the catalogue by interactions in the training part; a cold target has none.',
  },
} as const;

/** NDCG@10 with its interval per method, in each slice of the users. */
export function sliceCharts(compared: Compared): Chart[] {
  return (['history', 'popularity'] as const).flatMap((by) => {
    const slices = compared.slices.filter((slice) => slice.by === by);
    if (slices.length === 0) return [];
    const { title, note } = BY[by];
    const groups = slices.map((slice) => ({
      heading: sliceName(slice),
      rows: slice.methods.map(({ method, mean, ci95: [low, high] }) => ({
        look: lookOf(compared, method),
        value: mean,
        low,
        high,
      })),
    }));
    return [
      {
        title,
        note: `${note} Equal values stay together, so quarters differ in size. 95 % intervals.`,
        draw: (form) => intervalChart({ title, form, xLabel: 'NDCG@10', groups, bars: false }),
        values: {
          headers: ['', ...groups.map(({ heading }) => heading)],
          rows: compared.looks.map(({ name }) => [
            name,
            ...groups.map(({ rows }) => {
              const row = rows.find(({ look }) => look.name === name);
              return row === undefined ? '–' : intervalText(row);
            }),
          ]),
        },
      },
    ];
  });
}

/** '3 to 5 items, 812 users' */
function sliceName({ by, low, high, users }: ComparedSlice): string {
  const { one, unit } = BY[by];
  const counted = `${users} ${users === 1 ? 'user' : 'users'}`;
  const isOfItems = by !== 'history';
  if (isOfItems && high === 0) return `cold, no interaction, ${counted}`;
  const cold = isOfItems && low === 0 ? ', some cold' : '';
  const range = low === high ? `${low} ${low === 1 ? one : unit}` : `${low} to ${high} ${unit}`;
  return `${range}${cold}, ${counted}`;
}
