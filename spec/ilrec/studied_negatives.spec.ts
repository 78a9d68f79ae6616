import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { buildPrefixTrie } from '../../src/generation/prefix_trie';
import { ilrec, type IlrecOptions } from '../../src/ilrec/ilrec';
import { causalLM } from '../../src/models/causal_lm';
import { popularityScorer } from '../../src/models/popularity';
import { trieReward } from '../../src/rewards/trie_reward';
import { forEachBackend } from '../support/backends';
import { crossEntropyOf, logSumExp, mean, negativesOf, softmax } from '../support/reference';
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
/** Tokens of the next items along each label. */
const NEXT = [[3, 4], [5, 6], [3, 4], [6], [4], [5]];
const ALPHA = 2;

const sizes = { numHiddenLayers: 2, numAttentionHeads: 2, numKeyValueHeads: 2, ropeTheta: 10000, rmsNormEps: 1e-6 };
const OFF = { penaltyWeight: 0, distillationWeight: 0, numNegativeLayers: 1 };
const CPO = { ...OFF, penaltyWeight: ALPHA, penalty: 'additive', thresholdScale: 0.5 } as const;

interface Pass {
  readonly loss: number;
  readonly numNegatives: number;
  /** Logits of the last layer and of the one below, in float64, [P, V]. */
  readonly final: number[][];
  readonly early: number[][];
}

async function pass(options: IlrecOptions): Promise<Pass> {
  const model = causalLM({
    vocabSize: V,
    hiddenSize: 8,
    numHiddenLayers: 2,
    numAttentionHeads: 2,
    initializerRange: 0.6,
    seed: 5,
  });
  const { hiddenStates, logits, project } = referenceDecoder(weightsOf(model), sizes, INPUT_IDS);
  const xs = tf.tensor2d([INPUT_IDS], undefined, 'int32');
  const ys = tf.tensor2d([LABELS], undefined, 'int32');
  const method = ilrec(options);
  method.attach(model);
  const loss = tf.tidy(() => method.loss(ys, model.apply(xs, { training: true }) as tf.Tensor));
  const value = (await loss.data())[0];
  const numNegatives = (await method.diagnostics())?.numNegatives ?? NaN;
  method.detach();
  tf.dispose([xs, ys, loss]);
  model.dispose();
  return { loss: value, numNegatives, final: logits, early: project(hiddenStates[0]) };
}

/** CPO, additive, with w proportional to p~^gamma over those negatives that are not spared, the M likeliest of them. */
function preference(
  final: number[][],
  ensemble: number[][],
  { gamma = 1, most = V, spared = () => false }: Study = {},
): number {
  return mean(
    final.map((z, p) => {
      const probs = softmax(ensemble[p]);
      const { members } = negativesOf(ensemble[p], z, LABELS[p], 0.5, 'final');
      const kept = [...members.keys()]
        .filter((v) => members[v] && !spared(p, v))
        .sort((a, b) => probs[b] - probs[a])
        .slice(0, most);
      const total = kept.reduce((sum, v) => sum + probs[v] ** gamma, 0);
      const raised = z.map((value, v) => (kept.includes(v) ? value + (ALPHA * probs[v] ** gamma) / total : value));
      return logSumExp(raised) - z[LABELS[p]];
    }),
  );
}

interface Study {
  readonly gamma?: number;
  readonly most?: number;
  readonly spared?: (p: number, v: number) => boolean;
}

describe('negatives that depart from the paper', () => {
  forEachBackend(() => {
    it('weigh by a power, or are the likeliest alone', async () => {
      for (const [negatives, study] of [
        [{ exponent: 0 }, { gamma: 0 }],
        [{ exponent: 3 }, { gamma: 3 }],
        [{ maxCount: 1 }, { most: 1 }],
        [
          { maxCount: 2, exponent: 0.5 },
          { most: 2, gamma: 0.5 },
        ],
      ] as const) {
        const { loss, final, early } = await pass({ ...CPO, negatives });
        expect(loss, JSON.stringify(negatives)).to.be.closeTo(preference(final, early, study), 2e-5);
        expect(Math.abs(preference(final, early, study) - preference(final, early))).to.be.above(1e-3);
      }
    });

    it("are the final layer's own", async () => {
      const { loss, final } = await pass({ ...CPO, negatives: { source: 'final' } });
      expect(loss).to.be.closeTo(preference(final, final), 2e-5);
    });

    it('are as many random tokens, others at each seed', async () => {
      const { numNegatives, loss } = await pass({ ...CPO, negatives: {} });
      const random = await pass({ ...CPO, negatives: { source: 'random', seed: 1 } });
      const other = await pass({ ...CPO, negatives: { source: 'random', seed: 2 } });
      expect([random.numNegatives, other.numNegatives]).to.deep.equal([numNegatives, numNegatives]);
      expect(new Set([loss, random.loss, other.loss]).size).to.equal(3);
      expect((await pass({ ...CPO, negatives: { source: 'random', seed: 1 } })).loss).to.equal(random.loss);
    });

    it('spare the next items, and what the reward finds likelier than the label', async () => {
      const futureTargets = { weight: 0, trie };
      const ahead = await pass({ ...CPO, futureTargets, negatives: { spare: ['future'] } });
      expect(ahead.loss).to.be.closeTo(
        preference(ahead.final, ahead.early, { spared: (p, v) => NEXT[p].includes(v) }),
        2e-5,
      );
      // items 0 and 1 four times and once, item 2 three times: 3 is likelier than 4, 5 than 6
      const scorer = popularityScorer([[0, 0, 0, 0, 1, 2, 2, 2]], 3);
      const likelier = [[3], [5], [3], [5, 6], [3, 4], [5]];
      const rewarded = await pass({
        ...CPO,
        reward: trieReward({ scorer, trie }),
        rewardWeight: 0,
        negatives: { spare: ['reward'] },
      });
      expect(rewarded.loss).to.be.closeTo(
        preference(rewarded.final, rewarded.early, { spared: (p, v) => likelier[p].includes(v) }),
        2e-5,
      );
    });

    it('leave the loss as it is where nothing departs', async () => {
      const [own, dense] = [await pass(CPO), await pass({ ...CPO, negatives: {} })];
      expect(dense.loss).to.equal(own.loss);
    });
  });

  it('refuse what they do not know', () => {
    for (const [options, message] of [
      [{ negatives: { source: 'none' } }, "ilrec: negatives.source must be 'layers', 'final' or 'random', got 'none'"],
      [{ negatives: { maxCount: 0 } }, 'ilrec: negatives.maxCount must be a positive integer or null, got 0'],
      [{ negatives: { exponent: -1 } }, 'ilrec: negatives.exponent must be at least 0, got -1'],
      [{ negatives: { spare: ['past'] } }, "ilrec: negatives.spare must be among 'future', 'reward', got 'past'"],
      [{ negatives: { spare: ['reward'] } }, "ilrec: negatives.spare holds 'reward' and no reward is given"],
      [{ negatives: { spare: ['future'] } }, "ilrec: negatives.spare holds 'future' and the next items are not known"],
      [{ negatives: { most: 1 } }, 'ilrec: fields of negatives must be among source, maxCount'],
      [{ deepSupervisionWeight: -1 }, 'ilrec: deepSupervisionWeight must be at least 0, got -1'],
    ] as const)
      expect(() => ilrec(options as unknown as IlrecOptions)).to.throw(message);
  });
});

describe('deep supervision', () => {
  forEachBackend(() => {
    it('adds the cross-entropy of the layers below the last, and trains them', async () => {
      const { loss, final, early } = await pass({ ...OFF, deepSupervisionWeight: 0.7 });
      const of = (logits: number[][]): number => mean(logits.map((row, p) => crossEntropyOf(row, LABELS[p])));
      expect(loss).to.be.closeTo(of(final) + 0.7 * of(early), 2e-5);
    });
  });
});
