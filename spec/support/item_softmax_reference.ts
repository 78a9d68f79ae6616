import * as tf from '@tensorflow/tfjs-core';
import type { CandidateHead, Candidates } from '../../src/vocabulary/candidate_cross_entropy';
import { itemCandidates, type ItemPosition, type ItemSoftmaxRule } from '../../src/vocabulary/item_candidates';
import { logSumExp } from './reference';

/** What a softmax over items is made of, in float64. */
export interface ItemInputs {
  /** [P, D]. */
  readonly hidden: ArrayLike<number>;
  /** [N, D]. */
  readonly weight: ArrayLike<number>;
  /** [N]. */
  readonly bias: ArrayLike<number>;
  /** [1]; without effect where the rule has none. */
  readonly repeatBias: ArrayLike<number>;
}

/** The items that one position scores, what is added to their scores, and which of these has the repeat bias. */
interface Scored {
  readonly item: number;
  readonly offset: number;
  readonly isRaised: boolean;
}

/**
 * The candidates of one position, by the rule in words: its targets count; with a repeat bias the items seen count,
 * unless they are excluded; all other items count, or those of the sample, each for N / M items.
 */
export function scoredItems(
  { items: targets, seen }: ItemPosition,
  numItems: number,
  { excludeSeen, hasRepeatBias, sample }: ItemSoftmaxRule,
): Scored[] {
  const [isTarget, isSeen] = [new Set(targets), new Set(seen)];
  const scored: Scored[] = [];
  for (let item = 0; item < numItems; item++) {
    const isOwn = isTarget.has(item) || (isSeen.has(item) && hasRepeatBias && !excludeSeen);
    const isDrawn = sample === null || sample.includes(item);
    if (!isOwn && (!isDrawn || (excludeSeen && isSeen.has(item)))) continue;
    const offset = sample === null || isOwn ? 0 : Math.log(numItems / sample.length);
    scored.push({ item, offset, isRaised: hasRepeatBias && isSeen.has(item) });
  }
  return scored;
}

/** Loss, cross-entropy of each target [P][K], and gradients of an item softmax, dense and in float64. */
export function itemSoftmaxReference(
  { hidden, weight, bias, repeatBias }: ItemInputs,
  positions: readonly ItemPosition[],
  rule: ItemSoftmaxRule,
): { loss: number; ofTargets: number[][]; gradients: Float64Array[] } {
  const [P, N] = [positions.length, bias.length];
  const D = hidden.length / P;
  const gradients = [hidden.length, weight.length, N, 1].map((size) => new Float64Array(size));
  const [dHidden, dWeight, dBias, dRepeat] = gradients;
  let loss = 0;
  const ofTargets = positions.map((position, p) => {
    const scored = scoredItems(position, N, rule);
    const z = scored.map(({ item, offset, isRaised }) => {
      let score = bias[item] + offset + (isRaised ? repeatBias[0] : 0);
      for (let d = 0; d < D; d++) score += hidden[p * D + d] * weight[item * D + d];
      return score;
    });
    const total = logSumExp(z);
    const shareOf = new Map(position.items.map((item, k) => [item, position.shares[k]]));
    scored.forEach(({ item, isRaised }, i) => {
      const share = shareOf.get(item) ?? 0;
      if (share > 0) loss += (share * (total - z[i])) / P;
      const flow = (Math.exp(z[i] - total) - share) / P;
      dBias[item] += flow;
      if (isRaised) dRepeat[0] += flow;
      for (let d = 0; d < D; d++) {
        dHidden[p * D + d] += flow * weight[item * D + d];
        dWeight[item * D + d] += flow * hidden[p * D + d];
      }
    });
    return position.items.map((item) => total - z[scored.findIndex((each) => each.item === item)]);
  });
  return { loss, ofTargets, gradients };
}

/** A loss over the candidates of a batch. */
type CandidateLoss = (hidden: tf.Tensor2D, head: CandidateHead, candidates: Candidates) => tf.Scalar;

/** A loss of this package over candidates, with its gradients of hidden states, weight, bias and repeat bias. */
export async function measureCandidates(
  { hidden, weight, bias, repeatBias }: ItemInputs,
  positions: readonly ItemPosition[],
  rule: ItemSoftmaxRule,
  loss: CandidateLoss,
): Promise<{ value: number; gradients: Float32Array[] }> {
  const N = bias.length;
  const D = weight.length / N;
  const { items, candidates } = itemCandidates(positions, N, rule);
  const tensors = tf.tidy(() => {
    const f = (h: tf.Tensor, w: tf.Tensor, b: tf.Tensor, r: tf.Tensor): tf.Tensor => {
      const rows = items === null ? null : tf.tensor1d(items, 'int32');
      const head = {
        weight: (rows === null ? w : tf.gather(w, rows)) as tf.Tensor2D,
        bias: (rows === null ? b : tf.gather(b, rows)) as tf.Tensor1D,
        repeatBias: rule.hasRepeatBias ? (r as tf.Tensor1D) : null,
      };
      const unused = tf.mul(tf.sum(r), 0); // a gradient for the repeat bias also where there is none
      return tf.add(loss(h as tf.Tensor2D, head, candidates), unused);
    };
    const { value, grads } = tf.valueAndGrads(f)([
      tf.tensor2d(Float32Array.from(hidden), [hidden.length / D, D]),
      tf.tensor2d(Float32Array.from(weight), [N, D]),
      tf.tensor1d(Float32Array.from(bias)),
      tf.tensor1d(Float32Array.from(repeatBias)),
    ]);
    return [value, ...grads];
  });
  const [value, ...gradients] = await Promise.all(tensors.map((tensor) => tensor.data<'float32'>()));
  tf.dispose(tensors);
  return { value: value[0], gradients };
}

/** The rules that the specs of an item softmax go through; `sample` stands for the drawn items. */
export function itemSoftmaxRules(sample: Int32Array): readonly (readonly [string, ItemSoftmaxRule])[] {
  return [false, true].flatMap((excludeSeen) =>
    [false, true].flatMap((hasRepeatBias) =>
      [null, sample].map((drawn) => {
        const words = [
          drawn === null ? 'all items' : 'a sample',
          ...(excludeSeen ? ['items seen left out'] : []),
          ...(hasRepeatBias ? ['a repeat bias'] : []),
        ];
        return [words.join(', '), { excludeSeen, hasRepeatBias, sample: drawn }] as const;
      }),
    ),
  );
}
