import { expect } from 'chai';
import type { LogLine } from '../../src/runs/run_log';
import { layerCurves, stepCurve } from '../../src/report/curves';

describe('curves of a log', () => {
  const log: LogLine[] = Array.from({ length: 300 }, (_, i) => ({
    kind: 'step',
    step: i + 1,
    epoch: 0,
    loss: i,
    learningRate: 1,
    tokensPerSecond: 1,
    klPerLayer: [i, -i],
  }));
  log.push({ kind: 'evaluation', step: 300, epoch: 0, 'ndcg@10': 0.5 });

  it('are means over equal stretches where there are too many steps', () => {
    const points = stepCurve(log, 'loss');
    expect(points).to.have.length(100); // stretches of 3
    expect(points[0]).to.deep.equal({ x: 3, value: 1 });
    expect(points[99]).to.deep.equal({ x: 300, value: 298 });
  });

  it('are empty where the log has no such metric', () => {
    expect(stepCurve(log, 'crr')).to.deep.equal([]);
  });

  it('come one per layer for the KL', () => {
    expect(layerCurves(log, 'klPerLayer').map((points) => points[0].value)).to.deep.equal([1, -1]);
  });

  it('leave evaluations out', () => {
    expect(stepCurve(log, 'ndcg@10')).to.deep.equal([]);
  });
});
