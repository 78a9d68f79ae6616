import { expect } from 'chai';
import { trainingWarning } from '../../src/cli/training_warning';
import { besideText } from '../../src/cli/watch_training';
import type { RunManifest, RunValidation } from '../../src/runs/manifest';

const baselines = { popularity: { 'ndcg@10': 0.0223 }, markov: { 'ndcg@10': 0.0562 } };

/** A run of 40 steps whose best evaluation is at a step. */
function manifestOf(ndcg: number, bestStep: number, changes: Partial<RunValidation> = {}): RunManifest {
  const best = { step: bestStep, epochs: bestStep / 4, metrics: { 'ndcg@10': ndcg } };
  const validation: RunValidation = { users: 30, bestStep, best, baselines, ...changes };
  return { method: 'ilrec', status: 'done', steps: 40, validation } as RunManifest;
}

describe('trainingWarning', () => {
  it('asks for more epochs where the last evaluation was the best', () => {
    expect(trainingWarning(manifestOf(0.0212, 40))).to.equal(
      'ILRec is below Markov on the validation users (NDCG@10 0.0212 against 0.0562) and was still improving at its ' +
        'last evaluation: train a new run for more epochs, for example --epochs 20.',
    );
  });

  it('asks for something else where an earlier evaluation was the best', () => {
    expect(trainingWarning(manifestOf(0.05, 36))).to.equal(
      'ILRec is below Markov on the validation users (NDCG@10 0.0500 against 0.0562), and more epochs will not help, ' +
        'since its best evaluation was not the last: use more data, a smaller model, or another method, for example ' +
        '--method markov.',
    );
  });

  it('says nothing where the model is as good as the best of them, or nothing was measured', () => {
    expect(trainingWarning(manifestOf(0.0562, 40))).to.equal(null);
    expect(trainingWarning(manifestOf(0.09, 36))).to.equal(null);
    expect(trainingWarning(manifestOf(0.01, 40, { baselines: undefined }))).to.equal(null); // an older run
    expect(trainingWarning(manifestOf(0.01, 40, { best: null }))).to.equal(null);
    expect(trainingWarning({ ...manifestOf(0.01, 40), validation: null })).to.equal(null);
    expect(trainingWarning({ ...manifestOf(0.01, 40), status: 'interrupted' })).to.equal(null);
  });
});

describe('besideText', () => {
  it('names the simple methods by their titles', () => {
    expect(besideText({ ...baselines, sasrec: { 'ndcg@10': 0.081 } })).to.equal(
      ' (Popularity 0.0223, Markov 0.0562, SASRec 0.0810)',
    );
    expect(besideText({})).to.equal('');
    expect(besideText(undefined)).to.equal('');
  });
});
