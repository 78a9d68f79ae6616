import { expect } from 'chai';
import { counted, shellWord } from '../../src/cli/output';
import { trainingEnd } from '../../src/cli/training_end';
import type { RunManifest, RunValidation } from '../../src/runs/manifest';

const baselines = {
  popularity: { 'ndcg@10': 0.0223 },
  markov: { 'ndcg@10': 0.0562 },
  sasrec: { 'ndcg@10': 0.081 },
};

function manifestOf(changes: Partial<RunManifest> = {}, validation: Partial<RunValidation> = {}): RunManifest {
  const best = { step: 30, epochs: 3, metrics: { 'ndcg@10': 0.0741 } };
  return {
    method: 'ilrec',
    status: 'done',
    backend: 'wasm',
    steps: 40,
    seconds: 2.34,
    validation: { users: 300, bestStep: 30, best, baselines, ...validation },
    ...changes,
  } as RunManifest;
}

describe('the end of ilrec train', () => {
  it('says where the model stands on the same users, a line each, and what can be done next', () => {
    expect(trainingEnd('runs/shop', manifestOf(), 'ILRec is below SASRec ...').split('\n')).to.deep.equal([
      'ilrec done: 40 steps in 2.3 s on wasm',
      'runs/shop',
      '',
      'NDCG@10 on 300 validation users:',
      '  SASRec      0.0810',
      '  ILRec       0.0741, at step 30',
      '  Markov      0.0562',
      '  Popularity  0.0223',
      '',
      'ILRec is below SASRec ...',
      '',
      'Next:',
      '  ilrec evaluate --run runs/shop',
      '  ilrec recommend --run runs/shop --history ITEM,ITEM',
    ]);
  });

  it('offers more epochs where the last evaluation was the best', () => {
    const best = { step: 40, epochs: 4, metrics: { 'ndcg@10': 0.1 } };
    expect(trainingEnd('runs/shop', manifestOf({}, { bestStep: 40, best }), null)).to.match(
      /\n {2}ilrec train --resume --out runs\/shop --epochs 8$/,
    );
  });

  it('has one next command for a run that was interrupted, and no figures where none were measured', () => {
    const text = trainingEnd("my run's", manifestOf({ status: 'interrupted', steps: 1, validation: null }), null);
    expect(text).to.equal(
      "ilrec interrupted: 1 step in 2.3 s on wasm\nmy run's\n\nNext:\n  ilrec train --resume --out 'my run'\\''s'",
    );
    const counting = manifestOf({ method: 'markov', steps: 0 }, { users: 1, bestStep: 0, baselines: undefined });
    expect(trainingEnd('m', counting, null)).to.include('\nNDCG@10 on 1 validation user:\n  Markov  0.0741\n');
  });

  it('counts with the right noun, and quotes what a shell would split', () => {
    expect([0, 1, 2].map((count) => counted(count, 'step'))).to.deep.equal(['0 steps', '1 step', '2 steps']);
    expect(['runs/a-1', 'a b', '$x'].map(shellWord)).to.deep.equal(['runs/a-1', "'a b'", "'$x'"]);
  });
});
