import { expect } from 'chai';
import { lineChart, type LineChartOptions } from '../../src/report/line_chart';
import { looksOf } from '../../src/report/look';

describe('lineChart', () => {
  const points = [
    { x: 1, value: 2 },
    { x: 5, value: 3 },
  ];
  const looks = looksOf(
    Array.from({ length: 16 }, (_, i) => ({ title: `line${i}`, color: { light: 'red', dark: 'blue' } })),
  );
  const options = { title: 't', form: 'wide', xLabel: 'steps', yLabel: 'y' } as const;
  const drawn = (changes: Partial<LineChartOptions>): string => lineChart({ ...options, series: [], ...changes });
  const labels = (svg: string): { name: string; y: number }[] =>
    [...svg.matchAll(/<text[^>]*transform="translate\([\d.]+,([-\d.]+)\)"[^>]*>(line\d+)</g)].map(([, y, name]) => ({
      name,
      y: Number(y),
    }));

  it('is one svg element that names each line and level, and shows its values under the pointer', () => {
    const svg = drawn({
      title: 'A line',
      series: [{ look: looks[0], points }],
      levels: [{ look: looks[1], value: 1 }],
    });
    expect(svg).to.match(/^<svg [^]*<\/svg>$/);
    expect(svg).to.include('aria-label="A line"').and.include('>line0<').and.include('>line1<');
    expect(svg).to.include('<title>line0, steps 5: 3.0000</title>').and.include('<title>line1: 1.0000</title>');
    expect(svg).to.not.include('NaN');
  });

  it('keeps the names of 16 lines that end in one place apart and inside the chart', () => {
    const svg = drawn({ series: looks.map((look) => ({ look, points })) });
    const heights = labels(svg)
      .map(({ y }) => y)
      .sort((a, b) => a - b);
    expect(heights).to.have.length(16);
    for (let i = 1; i < heights.length; i++) expect(heights[i] - heights[i - 1]).to.be.at.least(13);
    const height = Number(/ height="([\d.]+)"/.exec(svg)?.[1]);
    expect(heights[0]).to.be.at.least(0);
    expect(heights[15]).to.be.at.most(height);
  });

  it('leaves the names of many lines to the legend where it is narrow', () => {
    expect(labels(drawn({ form: 'narrow', series: looks.map((look) => ({ look, points })) }))).to.deep.equal([]);
    expect(
      labels(drawn({ form: 'narrow', series: [{ look: looks[3], points }] })).map(({ name }) => name),
    ).to.deep.equal(['line3']);
  });

  it('gives each of 16 lines a shape of its own, so that colour is not all that tells them apart', () => {
    expect(new Set(looks.map(({ symbol, isHollow }) => `${symbol} ${isHollow}`)).size).to.equal(16);
    const shapes = looks.map((look) => {
      const svg = drawn({ dots: true, series: [{ look, points: [points[0]] }] });
      const outline = / d="(M[^"]*Z?)"[^>]*><title>/.exec(svg)?.[1] ?? 'circle';
      return `${outline} ${/aria-label="dot"/.test(svg)} ${look.isHollow ? svg.includes('var(--card') : 'filled'}`;
    });
    expect(new Set(shapes).size).to.equal(16);
  });

  it('is there without a point', () => {
    expect(drawn({}))
      .to.match(/^<svg /)
      .and.not.include('NaN');
  });
});
