import { expect } from 'chai';
import { equalBudgets } from '../../src/runs/equal_budgets';
import { commonSeconds, costOf, type FinishedRun, validationPoints } from '../../src/runs/run_cost';
import type { LogLine } from '../../src/runs/run_log';
import { madeMethod } from '../support/comparison';

/** Four steps in two epochs: 0.5 s each, 10 tokens, 4 of them with a label. */
function run(withSeconds = true): FinishedRun {
  const step = (number: number): LogLine => ({
    kind: 'step',
    step: number,
    epoch: Math.floor((number - 1) / 2),
    loss: 1,
    learningRate: 1,
    tokensPerSecond: 20,
    ...(withSeconds && { numTokens: 10, numResponseTokens: 4, seconds: number / 2 }),
  });
  const evaluation = (number: number, value: number): LogLine => ({
    kind: 'evaluation',
    step: number,
    epoch: 0,
    'ndcg@10': value,
    ...(withSeconds && { seconds: number / 2 }),
  });
  const { manifest } = madeMethod('ilrec').runs[0];
  return {
    manifest: { ...manifest, steps: 4, stepsPerEpoch: 2, seconds: 11, peakMemory: 700 },
    log: [step(1), step(2), evaluation(2, 0.2), step(3), step(4), evaluation(4, 0.1)],
    needs: { inside: 3, elsewhere: 5 }, // 8 s are its own
  };
}

describe('costOf', () => {
  it('tells the seconds of the run from those of its teachers, wherever they were trained', () => {
    expect(costOf(run(), 'steps')).to.deep.equal({
      seconds: 8,
      needSeconds: 8,
      epochs: 2,
      secondsPerEpoch: 1, // 2 s of steps
      tokensPerSecond: 20,
      responseTokensPerSecond: 8,
      peakMemory: 700,
    });
  });

  it('weighs the rates by the seconds of the steps', () => {
    const slow = { kind: 'step', step: 5, epoch: 2, loss: 1, learningRate: 1, seconds: 4.5 } as const;
    const { log, ...rest } = run();
    const longer = { ...rest, log: [...log, { ...slow, tokensPerSecond: 4, numTokens: 10, numResponseTokens: 10 }] };
    const cost = costOf(longer, 'steps');
    expect(cost.tokensPerSecond).to.be.closeTo(50 / 4.5, 1e-12);
    expect(cost.responseTokensPerSecond).to.be.closeTo(26 / 4.5, 1e-12);
  });

  it('counts all of the training where a log of an older release does not tell the steps', () => {
    expect(commonSeconds([run(), run()])).to.equal('steps');
    expect(commonSeconds([run(), run(false)])).to.equal('training');
    expect(costOf(run(false), 'training')).to.deep.include({
      secondsPerEpoch: 4,
      tokensPerSecond: 20,
      responseTokensPerSecond: null,
    });
    expect(validationPoints(run(false), 'training').map(({ seconds }) => seconds)).to.deep.equal([4, 8]);
  });

  it('has no rate and no epoch where nothing is trained', () => {
    const { manifest, ...rest } = run();
    const counted = { ...rest, manifest: { ...manifest, steps: 0, peakMemory: undefined }, log: [] };
    expect(commonSeconds([counted, run()])).to.equal('steps');
    expect(costOf(counted, 'steps')).to.deep.include({
      epochs: 0,
      secondsPerEpoch: null,
      tokensPerSecond: null,
      peakMemory: null,
    });
    expect(validationPoints(counted, 'steps')).to.deep.equal([]);
  });
});

describe('equalBudgets', () => {
  const made = madeMethod('sft');
  const method = (name: string, needSeconds: number, ...seeds: [number, number, number][][]) => ({
    method: name,
    runs: seeds.map((points) => ({
      ...made.runs[0],
      cost: { ...made.runs[0].cost, needSeconds },
      validation: points.map(([step, seconds, value]) => ({ step, seconds, 'ndcg@10': value })),
    })),
  });

  it('takes the best validation within the steps, and within the seconds with those of the teachers', () => {
    const fast = method('fast', 0, [
      [10, 1, 0.3],
      [20, 2, 0.2],
    ]);
    const taught = method('taught', 1, [
      [10, 1, 0.1],
      [20, 2, 0.4],
      [30, 3, 0.9],
    ]);
    const late = method('late', 7, [[20, 1, 0.8]]);
    expect(equalBudgets([fast, taught, late])).to.deep.equal({
      steps: 20,
      seconds: 2,
      methods: [
        { method: 'fast', atSteps: 0.3, atSeconds: 0.3 },
        { method: 'taught', atSteps: 0.4, atSeconds: 0.1 },
        { method: 'late', atSteps: 0.8, atSeconds: null },
      ],
    });
  });

  it('averages over seeds, and gives each method its longest run', () => {
    const two = method('two', 0, [[10, 1, 0.2]], [[10, 4, 0.4]]);
    const found = equalBudgets([two, method('long', 0, [[90, 9, 0.1]])]);
    expect(found).to.include({ steps: 10, seconds: 4 });
    expect(found?.methods[0].atSteps).to.be.closeTo(0.3, 1e-12);
    expect(found?.methods[1]).to.deep.equal({ method: 'long', atSteps: null, atSeconds: null });
  });

  it('leaves out what was not validated', () => {
    expect(equalBudgets([method('none', 0, [])])).to.equal(null);
    expect(equalBudgets([method('none', 0, []), method('one', 0, [[1, 1, 1]])])?.methods).to.have.length(1);
  });
});
