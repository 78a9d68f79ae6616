import { expect } from 'chai';
import { nearestWord } from '../../src/config/nearest_word';
import { parseTrainConfig } from '../../src/methods/train_config';
import { messageOf } from '../support/folders';

describe('problems of a config', () => {
  const problemsOf = async (config: unknown): Promise<string> => {
    const message = await messageOf(Promise.resolve().then(() => parseTrainConfig(config, 'my.json')));
    return message.replace("parseTrainConfig: my.json must follow the config's rules:\n", '');
  };

  it('say which key may be meant, of the same section or of another one', async () => {
    for (const [config, problem] of [
      [{ training: { epoch: 3 } }, '✖ Unrecognized key: "epoch"; did you mean epochs?\n  → at training'],
      [{ trainng: {} }, '✖ Unrecognized key: "trainng"; did you mean training?'],
      [{ epochs: 3 }, '✖ Unrecognized key: "epochs"; did you mean training.epochs?'],
      [{ beam_width: 3 }, '✖ Unrecognized key: "beam_width"; did you mean evaluation.beamWidth?'],
      [{ methods: { ilrek: {} } }, '✖ Unrecognized key: "ilrek"; did you mean ilrec?\n  → at methods'],
      [{ seed: 1, zzzzzzzz: 1 }, '✖ Unrecognized key: "zzzzzzzz"'],
      [
        { methods: { sasrec: { training: { epochz: 1 } } } },
        '✖ Unrecognized key: "epochz"; did you mean epochs?\n  → at methods.sasrec.training',
      ],
    ] as const)
      expect(await problemsOf(config)).to.equal(problem);
  });

  it('show the value that was given', async () => {
    for (const [config, problem] of [
      [{ training: { epochs: 0 } }, '✖ Too small: expected number to be >=1\n  → at training.epochs, got 0'],
      [
        { training: { learningRate: 'high' } },
        '✖ Invalid input: expected number, received string\n  → at training.learningRate, got "high"',
      ],
      [{ items: null }, '✖ Invalid input: expected object, received null\n  → at items'],
      [{ items: { nodeDepths: [2, 1] } }, '✖ Too small: expected number to be >=2\n  → at items.nodeDepths[1], got 1'],
    ] as const)
      expect(await problemsOf(config)).to.equal(problem);
  });

  it('are all told, the outermost first', async () => {
    expect(await problemsOf({ seed: 1.5, training: { epoch: 3, batchSize: 0 } })).to.match(
      /^✖ [^\n]*\n {2}→ at seed, got 1\.5\n✖ Unrecognized key: "epoch"[^\n]*\n {2}→ at training\n✖ [^]*batchSize, got 0$/,
    );
  });
});

describe('nearestWord', () => {
  it('takes case and separators as nothing, and leaves words alone that are not near', () => {
    const known = ['learningRate', 'beamWidth', 'seed', 'seen'];
    expect(
      ['learning_rate', 'BEAMWIDTH', 'beam', 'sed', 'colour'].map((word) => nearestWord(word, known)),
    ).to.deep.equal(['learningRate', 'beamWidth', 'beamWidth', 'seed', null]);
    expect(nearestWord('x', [])).to.equal(null);
  });
});
