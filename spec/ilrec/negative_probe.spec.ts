import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { buildPrefixTrie } from '../../src/generation/prefix_trie';
import { ilrec, type IlrecOptions, type LayerNegatives, type NegativeReport } from '../../src/ilrec/ilrec';
import { causalLM } from '../../src/models/causal_lm';
import { popularityScorer } from '../../src/models/popularity';
import { validItems } from '../../src/rewards/valid_items';
import { forEachBackend, onWebGpu } from '../support/backends';
import { mean, negativesOf } from '../support/reference';
import { referenceDecoder, weightsOf } from '../support/reference_decoder';

const trie = buildPrefixTrie([
  [3, 5],
  [3, 6],
  [4, 5],
]);
const V = 7;
/** The items 0, 1, 2 after a start token. */
const INPUT_IDS = [1, 3, 5, 3, 6, 4];
const LABELS = [3, 5, 3, 6, 4, 5];
const VALID = [[3, 4], [5, 6], [3, 4], [5, 6], [3, 4], [5]];
/** Tokens of the items that are left, along each label. */
const NEXT = [[3, 4], [5, 6], [3, 4], [6], [4], [5]];
/** Where item 2 alone is liked. */
const LIKED = [[4], [], [4], [], [4], [5]];
const sizes = { numHiddenLayers: 3, numAttentionHeads: 2, numKeyValueHeads: 2, ropeTheta: 10000, rmsNormEps: 1e-6 };
const scorer = popularityScorer([[2, 2, 2, 0, 0, 1]], 3);
const probe = { trie, scorer, topItems: 1, topTokens: 3, every: 1 };

async function reportsOf(
  options: IlrecOptions,
  steps = 1,
): Promise<{ reports: (NegativeReport | null)[]; logits: number[][][] }> {
  const model = causalLM({
    vocabSize: V,
    hiddenSize: 8,
    numHiddenLayers: 3,
    numAttentionHeads: 2,
    initializerRange: 0.5,
    seed: 4,
  });
  const { hiddenStates, project } = referenceDecoder(weightsOf(model), sizes, INPUT_IDS);
  const xs = tf.tensor2d([INPUT_IDS], undefined, 'int32');
  const ys = tf.tensor2d([LABELS], undefined, 'int32');
  const method = ilrec({ numNegativeLayers: 2, thresholdScale: 0.8, ...options });
  method.attach(model);
  const reports: (NegativeReport | null)[] = [];
  for (let step = 0; step < steps; step++) {
    const before = tf.memory().numTensors;
    tf.tidy(() => method.loss(ys, model.apply(xs, { training: true }) as tf.Tensor).dataSync());
    reports.push((await method.diagnostics())?.negatives ?? null);
    if (step > 0) expect(tf.memory().numTensors).to.equal(before);
  }
  method.detach();
  tf.dispose([xs, ys]);
  model.dispose();
  return { reports, logits: hiddenStates.map(project) };
}

/** The same in float64. */
function layerOf(final: number[][], ensemble: number[][]): LayerNegatives {
  const members = final.map((row, p) => {
    const found = negativesOf(ensemble[p], row, LABELS[p], 0.8, 'final').members;
    return [...found.keys()].filter((v) => found[v]);
  });
  const all = members.flatMap((tokens, p) => tokens.map((token) => ({ p, token })));
  const share = (marks: number[][]): number =>
    all.length === 0 ? 0 : all.filter(({ p, token }) => marks[p].includes(token)).length / all.length;
  const top = (row: number[]): number[] => [...row.keys()].sort((a, b) => row[b] - row[a]).slice(0, 3);
  return {
    numNegatives: all.length / final.length,
    validShare: share(VALID),
    futureShare: share(NEXT.map((tokens, p) => tokens.filter((token) => token !== LABELS[p]))),
    likedShare: share(LIKED),
    overlap: mean(final.map((row, p) => top(row).filter((v) => top(ensemble[p]).includes(v)).length / 3)),
  };
}

function expectClose(found: LayerNegatives, expected: LayerNegatives): void {
  for (const field of Object.keys(expected) as (keyof LayerNegatives)[])
    expect(found[field], field).to.be.closeTo(expected[field] as number, 1e-6);
}

describe('the look at the negatives', () => {
  forEachBackend(() => {
    it('counts them, and those that are valid, taken later or liked, layer by layer', async () => {
      const { reports, logits } = await reportsOf({ probe });
      const [early, late, final] = logits;
      const ensemble = final.map((row, p) => row.map((_, v) => (early[p][v] + late[p][v]) / 2));
      const [report] = reports;
      if (report === null) throw new Error('a report');
      expect(report.step).to.equal(0);
      expect(report.layers).to.have.length(2);
      expectClose(report.layers[0], layerOf(final, early));
      expectClose(report.layers[1], layerOf(final, late));
      expectClose(report.ensemble, layerOf(final, ensemble));
      expect(report.ensemble.numNegatives).to.be.above(1);
      expect(report.ensemble.likedShare).to.be.above(0);
      const counts = final.map(
        (row, p) => negativesOf(ensemble[p], row, LABELS[p], 0.8, 'final').members.filter(Boolean).length,
      );
      expect(report.byDepth.map((value) => value.toFixed(6))).to.deep.equal(
        [mean([counts[0], counts[2], counts[4]]), mean([counts[1], counts[3], counts[5]])].map((value) =>
          value.toFixed(6),
        ),
      );
    });

    it('comes every so many steps, over the first positions, and without a scorer too', async () => {
      const { reports, logits } = await reportsOf({ probe: { trie, every: 2, maxPositions: 2 } }, 3);
      expect(reports.map((report) => report?.step ?? null)).to.deep.equal([0, null, 2]);
      expect(reports[0]?.ensemble.likedShare).to.equal(null);
      const [early, , final] = logits.map((rows) => rows.slice(0, 2));
      expect(reports[0]?.layers[0].numNegatives).to.be.closeTo(layerOf(final, early).numNegatives, 1e-6);
    });

    it('looks at the tokens alone that the softmax is over', async () => {
      const { reports, logits } = await reportsOf({ probe, restrictTo: validItems({ trie }) });
      const restricted = logits.map((rows) =>
        rows.map((row, p) => row.map((logit, v) => (VALID[p].includes(v) ? logit : -1e9))),
      );
      const [early, late, final] = restricted;
      const ensemble = final.map((row, p) => row.map((_, v) => (early[p][v] + late[p][v]) / 2));
      const [report] = reports;
      if (report === null) throw new Error('a report');
      const { numNegatives, ...shares } = layerOf(final, ensemble);
      expect(numNegatives).to.be.above(0);
      expect(shares.validShare).to.equal(1);
      // at most two tokens are valid, and three are compared
      expectClose(report.ensemble, { numNegatives, ...shares, overlap: 1 });
      expectClose(report.layers[0], { ...layerOf(final, early), overlap: 1 });
    });

    it('taps the layers even where no term reads them, and does not change the loss', async () => {
      const off = { penaltyWeight: 0, distillationWeight: 0 };
      const { reports } = await reportsOf({ ...off, probe });
      expect(reports[0]?.layers).to.have.length(2);
      expect((await reportsOf(off)).reports).to.deep.equal([null]);
    });
  });

  onWebGpu(() => {
    it('is refused, since nothing can be read in the middle of a step', async () => {
      const message = await reportsOf({ probe }).then(String, (error: Error) => error.message);
      expect(message).to.equal(
        'ilrec: probe reads numbers in the middle of a step, which WebGPU cannot; use another backend',
      );
    });
  });

  it('refuses fields out of range', () => {
    for (const [options, message] of [
      [{ trie, every: 0 }, 'ilrec: probe.every must be a positive integer, got 0'],
      [{ trie, topItems: 1.5 }, 'ilrec: probe.topItems must be a positive integer, got 1.5'],
      [{}, 'ilrec: probe.trie must be what buildPrefixTrie returns, got undefined'],
      [{ trie, steps: 3 }, 'ilrec: fields of probe must be among trie, every'],
      [{ trie, scorer: popularityScorer([[0]], 2) }, "ilrec: probe.scorer must score the trie's 3 items, got 2"],
    ] as const)
      expect(() => ilrec({ probe: options as unknown as IlrecOptions['probe'] })).to.throw(message);
  });
});
