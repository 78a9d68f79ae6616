import { parseHTML } from 'linkedom';
import { expect } from 'chai';
import { intervalChart } from '../../src/report/interval_chart';
import { looksOf } from '../../src/report/look';

describe('intervalChart', () => {
  const looks = looksOf([
    { title: 'first', color: { light: 'red', dark: 'blue' } },
    { title: 'a name that is far too long to stand beside', color: { light: 'red', dark: 'blue' } },
  ]);
  const row = { look: looks[0], value: 0.1, low: -0.1, high: 0.3 };

  it('draws a mark, a bar and an interval per row, and shows the numbers anywhere in the row', () => {
    const svg = intervalChart({ title: 't', form: 'wide', xLabel: 'x', groups: [{ rows: [row] }] });
    const { document } = parseHTML(svg);
    const count = (label: string): number => document.querySelectorAll(`[aria-label="${label}"] > *`).length;
    expect([count('dot'), count('rule'), count('bar')]).to.deep.equal([1, 2, 2]); // zero and the interval; bar and row
    expect([...document.querySelectorAll('title')].map(({ textContent }) => textContent)).to.deep.equal([
      'first: 0.1000 [-0.1000, 0.3000]',
    ]);
  });

  it('has its bars end where the values are', () => {
    const rows = [row, { look: looks[1], value: -0.05, low: -0.1, high: 0.02 }];
    const svg = intervalChart({ title: 't', form: 'wide', xLabel: 'x', groups: [{ rows }] });
    const { document } = parseHTML(svg);
    const ticks = [...document.querySelectorAll('[aria-label="x-axis tick label"] text')].map((tick) => ({
      value: Number(tick.textContent?.replace('−', '-')),
      at: Number(/translate\(([\d.]+)/.exec(tick.getAttribute('transform') ?? '')?.[1]),
    }));
    const [from, to] = [ticks[0], ticks[ticks.length - 1]];
    const pixels = (value: number): number =>
      from.at + ((value - from.value) / (to.value - from.value)) * (to.at - from.at);
    const bars = [...document.querySelectorAll('[aria-label="bar"]')].filter(
      (bar) => bar.getAttribute('fill-opacity') === '0.22',
    );
    const edges = bars.map((bar) => {
      const [rect] = bar.children;
      const [x, width] = ['x', 'width'].map((name) => Number(rect.getAttribute(name)));
      return [x, x + width];
    });
    expect(edges[0][0]).to.be.closeTo(pixels(0), 0.6);
    expect(edges[0][1]).to.be.closeTo(pixels(0.1), 0.6);
    expect(edges[1][0]).to.be.closeTo(pixels(-0.05), 0.6);
    expect(edges[1][1]).to.be.closeTo(pixels(0), 0.6);
  });

  it('has a heading above the rows of each group', () => {
    const groups = ['few', 'many'].map((heading) => ({ heading, rows: [row] }));
    const svg = intervalChart({ title: 't', form: 'narrow', xLabel: 'x', groups, bars: false });
    expect(svg).to.include('>few<').and.include('>many<').and.include('<title>first, many: 0.1000');
  });
});
