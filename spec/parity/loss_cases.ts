import * as tf from '@tensorflow/tfjs-core';
import { causalLM } from '../../src/models/causal_lm';
import { ilrec, METRIC_NAMES } from '../../src/ilrec/ilrec';
import {
  collaborativeReward,
  crossEntropy,
  crossLayerDistillation,
  crossLayerPreference,
  ilrecObjective,
  type Penalty,
  selfHardNegatives,
} from '../../src/losses';
import { integers, normals } from '../support/random';
import { numbersOf, type ParityCase } from './parity_case';

/** P, V and |S| of the losses of logits. */
const [P, V, S] = [7, 23, 2];
const TOLERANCE = 1e-5;

interface Inputs {
  readonly final: tf.Tensor2D;
  readonly intermediate: tf.Tensor2D;
  readonly labels: tf.Tensor1D;
  readonly ensemble: tf.Tensor2D;
  readonly reward: tf.Tensor2D;
}

function inputs(): Inputs {
  const intermediate = tf.tensor2d(normals(S * P * V, 2, 2), [S * P, V]);
  return {
    final: tf.tensor2d(normals(P * V, 1, 2), [P, V]),
    intermediate,
    labels: tf.tensor1d(integers(P, V, 3), 'int32'),
    ensemble: tf.mean(tf.reshape(intermediate, [S, P, V]), 0) as tf.Tensor2D,
    reward: tf.tensor2d(normals(P * V, 4).map(Math.abs), [P, V]),
  };
}

/** A loss of logits: its value and its gradients. */
function lossCase(
  name: string,
  of: 'final' | 'intermediate' | 'both',
  loss: (final: tf.Tensor2D, intermediate: tf.Tensor2D, given: Inputs) => tf.Scalar,
): ParityCase {
  return {
    group: 'losses',
    name,
    tolerance: TOLERANCE,
    compute: () =>
      numbersOf(
        tf.tidy(() => {
          const given = inputs();
          const scalar = (final: tf.Tensor, intermediate: tf.Tensor): tf.Scalar =>
            loss(final as tf.Tensor2D, intermediate as tf.Tensor2D, given);
          if (of === 'both')
            return ((r) => [r.value, ...r.grads])(tf.valueAndGrads(scalar)([given.final, given.intermediate]));
          const alone =
            of === 'final' ? (x: tf.Tensor) => scalar(x, given.intermediate) : (x: tf.Tensor) => scalar(given.final, x);
          return ((r) => [r.value, r.grad])(tf.valueAndGrad(alone)(given[of]));
        }),
      ),
  };
}

function negativesOf({ ensemble, final, labels }: Inputs): ReturnType<typeof selfHardNegatives> {
  return selfHardNegatives(ensemble, final, labels, { thresholdScale: 0.5 });
}

/** ILRec's loss on a model whose head is read tile by tile: value, metrics, gradients of all weights. */
const streamingHead: ParityCase = {
  group: 'losses',
  name: 'streaming head of 5,003 tokens, every gradient',
  tolerance: 2e-5,
  async compute() {
    const [batch, length, vocabSize] = [8, 27, 5003]; // P x V is too large for the dense loss
    const model = causalLM({
      vocabSize,
      hiddenSize: 12,
      numHiddenLayers: 3,
      numAttentionHeads: 2,
      initializerRange: 0.3,
    });
    const method = ilrec({ numNegativeLayers: 2, penaltyWeight: 0.5, distillationWeight: 0.3 });
    model.compile({ optimizer: 'sgd', loss: method.loss, metrics: method.metrics });
    method.attach(model);
    const ids = tf.tensor2d(integers(batch * length, vocabSize, 5), [batch, length], 'int32');
    const labels = tf.tensor2d(integers(batch * length, vocabSize, 6), [batch, length], 'int32');
    const { value, grads } = tf.variableGrads(() =>
      method.loss(labels, model.apply(ids, { training: true }) as tf.Tensor),
    );
    const metrics = (await method.diagnostics()) as Record<(typeof METRIC_NAMES)[number], number>;
    const found = await numbersOf([
      value,
      ...Object.keys(grads)
        .sort()
        .map((name) => grads[name]),
    ]);
    method.detach();
    model.dispose();
    tf.dispose([ids, labels]);
    return [...METRIC_NAMES.map((name) => metrics[name]), ...found];
  },
};

const PENALTIES: readonly Penalty[] = ['scale', 'paper', 'additive'];

export const lossCases: readonly ParityCase[] = [
  lossCase('cross-entropy', 'final', (final, _, { labels }) => crossEntropy(final, labels)),
  ...PENALTIES.map((penalty) =>
    lossCase(`cross-layer preference, ${penalty}`, 'final', (final, _, given) =>
      crossLayerPreference(final, given.labels, negativesOf(given).weights, { penaltyWeight: 0.7, penalty }),
    ),
  ),
  lossCase('cross-layer distillation', 'intermediate', (final, intermediate) =>
    tf.sum(crossLayerDistillation(final, intermediate, {})),
  ),
  lossCase('cross-layer distillation on items', 'intermediate', (final, intermediate) =>
    tf.sum(crossLayerDistillation(final, intermediate, { distillationTokens: [2, 3, 5, 7, 11] })),
  ),
  lossCase('collaborative reward', 'final', (final, _, given) =>
    collaborativeReward(final, given.labels, negativesOf(given).mask, given.reward),
  ),
  lossCase(
    'the whole objective',
    'both',
    (finalLogits, intermediateLogits, { ensemble: ensembleLogits, labels, reward }) => {
      const options = {
        penaltyWeight: 0.7,
        penalty: 'scale',
        thresholdScale: 0.5,
        thresholdReference: 'final',
        distillationWeight: 0.3,
        rewardWeight: 0.4,
      } as const;
      return ilrecObjective({ finalLogits, ensembleLogits, intermediateLogits, labels, reward }, options).total;
    },
  ),
  streamingHead,
];
