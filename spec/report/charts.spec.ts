import { expect } from 'chai';
import { intervalChart, lineChart } from '../../src/report/charts';

describe('lineChart', () => {
  const points = [
    { x: 1, value: 2 },
    { x: 5, value: 3 },
  ];

  it('is one svg element that names each line and level', () => {
    const svg = lineChart({
      title: 'A line',
      yLabel: 'y',
      series: [{ name: 'ours', color: 'var(--ours)', points }],
      levels: [{ name: 'floor', color: 'gray', value: 1 }],
    });
    expect(svg).to.match(/^<svg [^]*<\/svg>$/);
    expect(svg)
      .to.include('aria-label="A line"')
      .and.include('>ours<')
      .and.include('>floor<')
      .and.include('var(--ours)');
    expect(svg).to.not.include('NaN');
  });

  it('keeps names apart that would lie on one another', () => {
    const svg = lineChart({
      title: 't',
      yLabel: 'y',
      series: ['a1', 'a2', 'a3'].map((name) => ({ name, color: 'red', points })),
    });
    const heights = [...svg.matchAll(/<text[^>]*transform="translate\([\d.]+,([\d.]+)\)"[^>]*>a\d</g)].map((match) =>
      Number(match[1]),
    );
    expect(new Set(heights.map(Math.round)).size).to.equal(3);
  });

  it('is there without a point', () => {
    expect(lineChart({ title: 't', yLabel: 'y', series: [] }))
      .to.match(/^<svg /)
      .and.not.include('NaN');
  });
});

describe('intervalChart', () => {
  it('draws a dot and an interval per row, and zero where asked to', () => {
    const svg = intervalChart({
      title: 't',
      xLabel: 'x',
      zero: true,
      rows: [{ name: 'first', color: 'red', value: 0.1, low: -0.1, high: 0.3 }],
    });
    expect(svg).to.include('>first<');
    expect((svg.match(/<circle/g) ?? []).length).to.equal(1);
  });
});
