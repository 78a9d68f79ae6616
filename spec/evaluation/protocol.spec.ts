import { expect } from 'chai';
import { formatInterval, protocolText, type EvaluationProtocol } from '../../src/evaluation/protocol';

const beamSearch: EvaluationProtocol = {
  split: 'test',
  holdOut: 'leave-one-out',
  ranking: 'constrained beam search over the item trie',
  numItems: 9922,
  beamWidth: 20,
  renormalize: false,
  listLength: 20,
  maxHistory: 10,
  excludeSeen: false,
  tieRule: 'of equal scores the lower token',
  users: 2000,
  usersTotal: 24772,
  userSeed: 7,
  bootstrap: { resamples: 1000, seed: 7, level: 0.95 },
};

describe('protocolText', () => {
  it('says all that must be known to repeat a result', () => {
    expect(protocolText(beamSearch)).to.equal(
      'Leave-one-out, test split (target: the last item of each user), 2000 of 24772 users drawn with seed 7. ' +
        'Full ranking of 9922 items by constrained beam search over the item trie, beam width 20, token probabilities over the whole vocabulary; ' +
        'lists of 20 items; a target that is not in the list counts as a miss. ' +
        'The model sees the last 10 items of the history; items of the history may be recommended again. ' +
        'Ties: of equal scores the lower token. ' +
        'Intervals: 95 % percentile bootstrap over users, 1000 resamples, seed 7.',
    );
  });

  it('leaves beams and probabilities out where every item is scored', () => {
    const text = protocolText({
      ...beamSearch,
      split: 'valid',
      ranking: 'the scores of sasrec',
      beamWidth: null,
      renormalize: null,
      users: 24772,
      userSeed: null,
      maxHistory: null,
      excludeSeen: true,
    });
    expect(text).to.include(
      'valid split (target: the last but one item of each user), all 24772 users. Full ranking of 9922 items by the scores of sasrec; lists',
    );
    expect(text).to.include('The model sees the whole history; items of the history are left out of the list.');
  });

  it('prints a value with its interval', () => {
    expect(formatInterval(0.10264, [0.0989, 0.10631])).to.equal('0.1026 [0.0989, 0.1063]');
  });
});
