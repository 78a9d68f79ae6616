import { expect } from 'chai';
import { rotaryFrequencies } from '../../src/ops/rotary_frequencies';

const SIZE = 14;
const THETA = 300;
const FLOAT32 = 2e-7; // two roundings
const own = Array.from({ length: SIZE / 2 }, (_, i) => THETA ** ((-2 * i) / SIZE));
const close = (actual: ArrayLike<number>, expected: number[]): void =>
  expected.forEach((value, i) => expect(actual[i]).to.be.closeTo(value, FLOAT32 * value));

describe('rotaryFrequencies', () => {
  it('is theta^(-2i/F) without scaling', () => {
    const { frequencies, amplitude } = rotaryFrequencies(SIZE, THETA);
    close(frequencies, own);
    expect(amplitude).to.equal(1);
  });

  it('divides all by the factor under linear scaling', () => {
    close(
      rotaryFrequencies(SIZE, THETA, { ropeType: 'linear', factor: 5 }).frequencies,
      own.map((f) => f / 5),
    );
  });

  it('keeps short waves, divides long ones and blends in between under llama3 scaling', () => {
    // 20 positions turn a pair 20 f / 2 pi times: 3.2, 1.4, .62, .28, .12 ...: above 2 is kept, below .5 divided, the
    // two between are blended.
    const { frequencies } = rotaryFrequencies(SIZE, THETA, {
      ropeType: 'llama3',
      factor: 4,
      lowFreqFactor: 0.5,
      highFreqFactor: 2,
      originalMaxPositionEmbeddings: 20,
    });
    const share = own.map((f) => Math.min(1, Math.max(0, ((20 * f) / (2 * Math.PI) - 0.5) / 1.5)));
    expect(share[0]).to.equal(1);
    expect(share.slice(1, 3).every((s) => s > 0 && s < 1)).to.equal(true);
    expect(share.slice(3)).to.deep.equal([0, 0, 0, 0]);
    close(
      frequencies,
      own.map((f, i) => f * share[i] + (f / 4) * (1 - share[i])),
    );
  });

  it('keeps the first pairs, divides the last and blends by pair under yarn, with a scale of 0.1 ln(factor) + 1', () => {
    // Pair 14 ln(64 / (r 2 pi)) / (2 ln 300) turns r times in 64 positions: 1.4 for r = 3, 4.0 for r = 0.4, so the
    // bounds are 1 and 4 (4.0 rounded up is 4).
    const { frequencies, amplitude } = rotaryFrequencies(SIZE, THETA, {
      ropeType: 'yarn',
      factor: 4,
      originalMaxPositionEmbeddings: 64,
      betaFast: 3,
      betaSlow: 0.4,
    });
    const [low, high] = [3, 0.4].map(
      (rotations) => (SIZE * Math.log(64 / (rotations * 2 * Math.PI))) / (2 * Math.log(THETA)),
    );
    const [from, to] = [Math.floor(low), Math.ceil(high)];
    expect([from, to]).to.deep.equal([1, 4]);
    close(
      frequencies,
      own.map((f, i) => {
        const stretched = Math.min(1, Math.max(0, (i - from) / (to - from)));
        return f * (1 - stretched) + (f / 4) * stretched;
      }),
    );
    expect(amplitude).to.be.closeTo(1 + 0.1 * Math.log(4), 1e-12);
  });

  it('takes the attention factor and unrounded bounds of yarn where they are given', () => {
    const scaling = {
      ropeType: 'yarn',
      factor: 4,
      originalMaxPositionEmbeddings: 64,
      betaFast: 3,
      betaSlow: 0.4,
      attentionFactor: 0.7,
      truncate: false,
    } as const;
    expect(rotaryFrequencies(SIZE, THETA, scaling).amplitude).to.equal(0.7);
    expect(rotaryFrequencies(SIZE, THETA, scaling).frequencies[2]).to.not.equal(
      rotaryFrequencies(SIZE, THETA, { ...scaling, truncate: true }).frequencies[2],
    );
  });

  it('rounds to float32 as the models were trained', () => {
    // PyTorch 2.15: 1.0 / (300.0 ** (torch.arange(0, 14, 2, dtype=torch.float) / 14))
    const golden = [1, 0.4427163, 0.19599773, 0.0867713988, 0.0384151116, 0.017006997, 0.00752927503];
    expect([...rotaryFrequencies(SIZE, THETA).frequencies]).to.deep.equal(golden.map(Math.fround));
  });

  it('refuses bounds of llama3 scaling that are not in order', () => {
    const scaling = {
      ropeType: 'llama3',
      factor: 4,
      lowFreqFactor: 2,
      highFreqFactor: 2,
      originalMaxPositionEmbeddings: 20,
    } as const;
    expect(() => rotaryFrequencies(SIZE, THETA, scaling)).to.throw(
      'rotaryFrequencies: highFreqFactor must be above lowFreqFactor, got 2 and 2; use the config of the checkpoint',
    );
  });
});
