import { expect } from 'chai';
import { formatSeconds, progress } from '../../src/callbacks/progress_node';
import type { TrainingState } from '../../src/training/train_model';

describe('progress', () => {
  it('writes plain lines where there is no terminal', () => {
    let written = '';
    const stream = { isTTY: false, write: (text: string) => (written += text) } as unknown as NodeJS.WriteStream;
    const { onTrainBegin, onStep, onTrainEnd } = progress({ label: 'sft', stream, lineEverySeconds: 0 });
    const state = { step: 0, epoch: 0, epochs: 3, totalSteps: 30, stepsPerEpoch: 10 } as TrainingState;
    onTrainBegin?.(state);
    state.step = 1;
    onStep?.(
      {
        step: 1,
        epoch: 0,
        loss: 2.5,
        learningRate: 1,
        tokensPerSecond: 1234.4,
        numTokens: 10,
        numResponseTokens: 4,
        seconds: 0.01,
        metrics: {},
        klPerLayer: null,
      },
      state,
    );
    onTrainEnd?.(state);
    expect(written).to.match(/^sft: step 1\/30, epoch 1\/3, loss 2\.5000, 1234 tokens\/s, \d+s left\n$/);
  });
});

describe('formatSeconds', () => {
  it('names hours, minutes and seconds', () => {
    expect([0.4, 75, 3600, 7384].map(formatSeconds)).to.deep.equal(['0s', '1m15s', '1h00m', '2h03m']);
    expect(formatSeconds(Infinity)).to.equal('-');
  });
});
