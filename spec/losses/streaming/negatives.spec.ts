import { expect } from 'chai';
import { CandidateBuffer } from '../../../src/vocabulary/candidates';
import { negativesFromCandidates, type NegativeRule } from '../../../src/losses/streaming/negatives';
import { logSumExp } from '../../support/reference';

/** One row with p^L = 1/8, 2/8, 4/8, 1/8 and p~ = 1/8, 2/8, 4/8, 1/8 of its four tokens, all of them candidates. */
function oneRow(final: readonly number[], threshold: number, label = 0): [CandidateBuffer, NegativeRule] {
  const ensemble = Float32Array.of(0, Math.log(2), Math.log(4), 0);
  const buffer = new CandidateBuffer(1, 4);
  buffer.raise([-Infinity], [Infinity]);
  buffer.add([0], 0, 4, ensemble, Float32Array.from(final));
  return [
    buffer,
    {
      labels: Int32Array.of(label),
      finalLogSumExp: Float64Array.of(logSumExp(final)),
      ensembleLogSumExp: Float64Array.of(Math.log(8)),
      thresholds: Float64Array.of(threshold),
    },
  ];
}

const LOGITS = [0, Math.log(2), Math.log(4), 0];

describe('negativesFromCandidates', () => {
  it('weighs the negatives by p~ and raises their logits', () => {
    // negatives 1 and 2, w = 1/3 and 2/3, z' = z + w: total = 1/4 + e^(1/3) / 4 + e^(2/3) / 2
    const total = 0.25 + Math.exp(1 / 3) / 4 + Math.exp(2 / 3) / 2;
    const { negatives, changes } = negativesFromCandidates(...oneRow(LOGITS, Math.log(2)), 1, 'additive');
    const [row] = negatives;
    expect(row?.numNegatives).to.equal(2);
    expect(row?.mass).to.be.closeTo(0.75, 1e-7);
    expect(row?.ensembleMass).to.be.closeTo(0.75, 1e-7);
    expect(row?.logTotal).to.be.closeTo(Math.log(total), 1e-7);
    expect(changes.tokens).to.deep.equal([1, 2]);
    expect(changes.factors[0]).to.be.closeTo((Math.exp(1 / 3) - 1) / 4 / total, 1e-7);
    expect(changes.factors[1]).to.be.closeTo((Math.exp(2 / 3) - 1) / 2 / total, 1e-7);
  });

  it('takes a token whose z~ is exactly the threshold', () => {
    // z~ = (0, ln 2, ln 4, 0): the thresholds are those of token 1 and of tokens 0 and 3, as float32 holds them
    const counts = [Math.fround(Math.log(2)), 0].map(
      (threshold) => negativesFromCandidates(...oneRow(LOGITS, threshold, 2), 1, 'scale').negatives[0]?.numNegatives,
    );
    expect(counts).to.deep.equal([1, 3]);
  });

  it('leaves the label out, and a row without negatives as it is', () => {
    expect(negativesFromCandidates(...oneRow(LOGITS, Math.log(4), 2), 1, 'scale').negatives[0]).to.include({
      numNegatives: 0,
      mass: 0,
      logTotal: 0,
    });
  });

  it('gives up a row whose threshold is below what the buffer holds, or exactly at it', () => {
    const cutoff = Math.fround(Math.log(2));
    for (const [threshold, isGivenUp] of [
      [cutoff - 1e-3, true],
      [cutoff, true],
      [cutoff + 1e-3, false],
    ] as const) {
      const [buffer, rule] = oneRow(LOGITS, threshold);
      buffer.raise([cutoff], [-Infinity]);
      expect(negativesFromCandidates(buffer, rule, 1, 'scale').negatives[0] === null).to.equal(isGivenUp);
    }
  });

  it('gives up a row of which the negatives leave too little to be subtracted from', () => {
    const { negatives, changes } = negativesFromCandidates(...oneRow([0, 8, 9, 0], Math.log(2)), 1, 'scale');
    expect(negatives).to.deep.equal([null]);
    expect(changes.tokens).to.deep.equal([]);
  });

  it('stays finite where a raised logit is far above all others', () => {
    const { negatives, changes } = negativesFromCandidates(...oneRow([900, 899, 898, 0], Math.log(2)), 5, 'scale');
    expect(negatives[0]?.logTotal).to.be.closeTo(898 + ((5 * 2) / 3) * 898 - logSumExp([900, 899, 898]), 1e-3);
    expect(changes.factors.every(Number.isFinite)).to.equal(true);
  });
});
