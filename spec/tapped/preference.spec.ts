import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { expect } from 'chai';
import { buildPrefixTrie } from '../../src/generation/prefix_trie';
import { preferenceDoubt } from '../../src/losses/rose_po';
import { addLora } from '../../src/lora';
import { causalItemScorer } from '../../src/models/causal_item_scorer';
import { causalLM } from '../../src/models/causal_lm';
import { disposeModel } from '../../src/models/dispose_model';
import type { ItemScorer } from '../../src/models/item_scorer';
import { dpo } from '../../src/tapped/dpo';
import { itemPairs, type ItemPairs, type ItemPairsOptions } from '../../src/tapped/item_pairs';
import type { PairBatch } from '../../src/tapped/preference_pairs';
import { randomRejected } from '../../src/tapped/rejected_items';
import { responsePairs, type ResponsePairs, type ResponsePairsOptions } from '../../src/tapped/response_pairs';
import { rosePo } from '../../src/tapped/rose_po';
import { sDpo } from '../../src/tapped/s_dpo';
import type { TappedMethod } from '../../src/tapped/tapped_method';
import { forEachDevice } from '../support/backends';
import { messageOf } from '../support/folders';
import { itemBatch, itemInputs, itemStep, numPositions, places, weightsNow, withEntry } from '../support/item_batches';
import { itemModel, itemModelReference, NUM_ITEMS as N } from '../support/item_models';
import { dpoReference, rosePoReference, sDpoReference } from '../support/preference_reference';
import { integers, normals } from '../support/random';
import { centralDifferences, crossEntropyOf, maxDifference, type Rows } from '../support/reference';
import { referenceDecoder, type Weights, weightsOf } from '../support/reference_decoder';

/** Scores that differ with every history. */
const oracle: ItemScorer = {
  name: 'oracle',
  numItems: N,
  score: (histories) =>
    tf.tensor2d(
      histories.map((history) => [
        ...normals(
          N,
          Array.from(history).reduce((hash, item) => hash * 31 + item, 7),
          2,
        ),
      ]),
      [histories.length, N],
    ),
};

/** Moves every weight a little, so that the policy is no longer the reference. */
function move(model: tfl.LayersModel): void {
  tf.tidy(() => {
    model.trainableWeights.forEach((weight, i) => {
      const value = weight.read();
      weight.write(tf.add(value, tf.tensor(normals(value.size, 50 + i, 0.1), value.shape)));
    });
  });
}

describe('preference methods of a model whose tokens are items', () => {
  forEachDevice(() => {
    const pairsOf = (model: tfl.LayersModel, options: Partial<ItemPairsOptions> = {}): Promise<ItemPairs> =>
      itemPairs({
        reference: causalItemScorer(model),
        batches: [itemBatch],
        rejected: randomRejected({ numRejected: 3, excludeSeen: false, seed: 2 }),
        oracle,
        ...options,
      });
    const lossOf = async (method: TappedMethod, model: tfl.LayersModel): ReturnType<typeof itemStep> => {
      method.attach(model);
      const step = await itemStep(method, model);
      method.detach();
      return step;
    };
    /** Scores of chosen and rejected items at each position, in float64. */
    const scoresIn = (weights: Weights, pairs: ItemPairs): number[] => {
      const repeatBias = (weights.get('embed_tokens/repeat_bias') as Rows | undefined)?.[0][0] ?? 0;
      const rows = itemBatch.batchSize;
      const decoded = Array.from({ length: rows }, (_, b) =>
        itemModelReference(weights, [
          ...itemBatch.inputIds.slice(b * itemBatch.sequenceLength, (b + 1) * itemBatch.sequenceLength),
        ]),
      );
      const { rejected, numRejected } = pairs.table();
      return places.flatMap(({ row, column, label, seen }, p) =>
        [label, ...rejected.slice(p * numRejected, (p + 1) * numRejected)].map(
          (item) => decoded[row].scores[column][item] + (seen.includes(item) ? repeatBias : 0),
        ),
      );
    };

    it('begin at log 2 and log G, where the policy is the reference', async () => {
      const model = itemModel({ items: { useRepeatBias: true } });
      const pairs = await pairsOf(model);
      expect((await lossOf(dpo({ pairs }), model)).loss).to.be.closeTo(Math.log(2), 1e-5);
      expect((await lossOf(sDpo({ pairs }), model)).loss).to.be.closeTo(Math.log(4), 1e-5);
      expect((await lossOf(rosePo({ pairs }), model)).loss).to.be.closeTo(Math.log(2), 1e-5);
      disposeModel(model);
    });

    it('have the loss of the model in float64 and its gradients, where the policy has moved away', async () => {
      const model = itemModel({ items: { useRepeatBias: true } });
      const pairs = await pairsOf(model);
      const [reference, doubt] = [
        scoresIn(await weightsNow(model), pairs),
        preferenceDoubt(pairs.table().oracle as Float32Array, 4, 0.4),
      ];
      move(model);
      const weights = await weightsNow(model);
      const several = sDpo({ pairs, beta: 0.6 });
      const cases = [
        [dpo({ pairs, beta: 0.6 }), dpoReference(4, 0.6)],
        [several, sDpoReference(4, 0.6)],
        [rosePo({ pairs, beta: 0.6, maxDoubt: 0.4 }), rosePoReference(4, 0.6, doubt)],
      ] as const;
      for (const [method, inFloat64] of cases) {
        const { loss, gradients } = await lossOf(method, model);
        expect(loss).to.be.closeTo(inFloat64(scoresIn(weights, pairs), reference), 2e-5);
        if (method !== several) continue; // the losses have their own gradients checked
        for (const [at, [name, gradient]] of [...gradients].entries()) {
          const sampled = [...integers(2, gradient.length, at)];
          const numeric = sampled.map((flat) => {
            const value = (x: Float64Array): number =>
              inFloat64(scoresIn(withEntry(weights, name, flat, x[0]), pairs), reference);
            return centralDifferences(value, [weights.get(name)?.flat()[flat] as number])[0];
          });
          const found = sampled.map((flat) => gradient[flat]);
          expect(maxDifference(found, numeric), name).to.be.below(2e-5);
        }
      }
      disposeModel(model);
    });

    it('say how many pairs are in the right order, and how far apart they are', async () => {
      const model = itemModel();
      const pairs = await pairsOf(model);
      const reference = scoresIn(await weightsNow(model), pairs);
      move(model);
      const policy = scoresIn(await weightsNow(model), pairs);
      const margins = policy.flatMap((value, i) => {
        const first = i - (i % 4);
        return i === first ? [] : [0.6 * (policy[first] - reference[first] - value + reference[i])];
      });
      const method = dpo({ pairs, beta: 0.6 });
      model.compile({ optimizer: tf.train.sgd(0), loss: method.loss, metrics: method.metrics });
      method.attach(model);
      const { xs, ys } = itemInputs();
      const [, accuracy, margin] = (await model.trainOnBatch(xs, ys)) as number[];
      method.detach();
      expect(accuracy).to.be.closeTo(margins.filter((value) => value > 0).length / margins.length, 1e-6);
      expect(margin).to.be.closeTo(margins.reduce((sum, value) => sum + value) / margins.length, 1e-5);
      tf.dispose([xs, ys]);
      disposeModel(model);
    });

    it('learn what was chosen, and leave no tensor behind', async () => {
      const model = itemModel();
      const pairs = await pairsOf(model);
      const method = dpo({ pairs, beta: 1 });
      const { xs, ys } = itemInputs();
      model.compile({ optimizer: tf.train.sgd(0.5), loss: method.loss, metrics: method.metrics });
      method.attach(model);
      const losses = [(await model.trainOnBatch(xs, ys)) as number[]];
      const before = tf.memory().numTensors;
      for (let i = 0; i < 10; i++) losses.push((await model.trainOnBatch(xs, ys)) as number[]);
      expect(tf.memory().numTensors).to.equal(before);
      expect(losses[10][0]).to.be.below(losses[0][0] / 2);
      expect(losses[10][1]).to.equal(1);
      method.detach();
      tf.dispose([xs, ys]);
      disposeModel(model);
    });

    it('take a table for what they would ask, and leave no tensor behind when they ask', async () => {
      const model = itemModel();
      const before = tf.memory().numTensors;
      const pairs = await pairsOf(model);
      expect(tf.memory().numTensors).to.equal(before);
      expect(pairs.table().rejected).to.have.length(numPositions * 3);
      const again = await pairsOf(model, { known: pairs.table(), rejected: () => Promise.reject(new Error('asked')) });
      const moved = (await lossOf(sDpo({ pairs: again }), model)).loss;
      expect(moved).to.be.closeTo(Math.log(4), 1e-5);
      disposeModel(model);
    });

    it('refuse what does not fit, in one sentence', async () => {
      const model = itemModel();
      const pairs = await pairsOf(model, { oracle: undefined });
      expect(() => rosePo({ pairs })).to.throw(
        'rosePo: pairs must hold the scores of an oracle, got none; make them with the option oracle',
      );
      expect(() => rosePo({ pairs, maxDoubt: 0.6 })).to.throw('rosePo: maxDoubt must be from 0 to 0.5, got 0.6');
      expect(() => dpo({ pairs, beta: 0 })).to.throw('dpo: beta must be above 0, got 0; 0.1 is usual');
      expect(() => dpo({} as Parameters<typeof dpo>[0])).to.throw(
        'dpo: pairs must be what responsePairs or itemPairs returned, got undefined',
      );
      expect(() => sDpo({ pairs, groupSize: 2 } as Parameters<typeof sDpo>[0])).to.throw(
        'sDpo: options must be among pairs, beta, ignoreIndex, taps, got groupSize',
      );
      expect(await messageOf(pairsOf(model, { rejected: () => new Int32Array(3) }))).to.equal(
        `itemPairs: rejected must return the same number of items for each of ${numPositions} examples, got 3 items`,
      );
      const chosen = places.map(({ label }) => label);
      expect(await messageOf(pairsOf(model, { rejected: () => Int32Array.from(chosen) }))).to.equal(
        `itemPairs: rejected items must be below 13 and not the chosen one, got ${chosen[0]} for the chosen item ${chosen[0]}`,
      );
      const { rejected, ...table } = pairs.table();
      const short = { ...table, rejected, reference: table.reference.subarray(4) };
      expect(await messageOf(pairsOf(model, { known: short }))).to.equal(
        `itemPairs: known must be the table of these batches, ${numPositions} examples, got ${numPositions - 1}`,
      );
      const other = await pairsOf(model, {
        batches: [{ ...itemBatch, labels: itemBatch.labels.map((label) => (label === 12 ? 11 : label)) }],
      });
      expect(await messageOf(lossOf(dpo({ pairs: other }), model))).to.equal(
        'dpo: each position must be one of those that itemPairs was given, got another with the label 12; give it all ' +
          'batches',
      );
      disposeModel(model);
    });
  });
});

describe('preference methods of a model that writes tokens', () => {
  const [B, T, V] = [4, 5, 11];
  const itemTokens = [[3, 5], [3, 6], [4, 5], [7]];
  /** Two prompts, `1 items`, each with a chosen and a rejected item as the response. */
  const examples = [
    [[1, 3, 5], 1],
    [[1, 3, 5], 2],
    [[1, 7, 4, 5], 3],
    [[1, 7, 4, 5], 0],
  ] as const;
  const batch: PairBatch = {
    inputIds: new Int32Array(B * T),
    labels: new Int32Array(B * T).fill(-100),
    batchSize: B,
    sequenceLength: T,
  };
  examples.forEach(([prompt, item], row) => {
    const tokens = itemTokens[item];
    batch.inputIds.set([...prompt, ...tokens.slice(0, -1)], row * T);
    batch.labels.set(tokens, row * T + prompt.length - 1);
  });
  const small = (): tfl.LayersModel =>
    causalLM({ vocabSize: V, hiddenSize: 8, numHiddenLayers: 2, numAttentionHeads: 2, initializerRange: 0.4, seed: 3 });
  const SIZES = { numHiddenLayers: 2, numAttentionHeads: 2, numKeyValueHeads: 2, ropeTheta: 10000, rmsNormEps: 1e-6 };
  const logProbsIn = (weights: Weights): number[] =>
    examples.map((_, row) => {
      const { logits } = referenceDecoder(weights, SIZES, [...batch.inputIds.slice(row * T, (row + 1) * T)]);
      return logits.reduce((sum, z, t) => {
        const label = batch.labels[row * T + t];
        return label < 0 ? sum : sum - crossEntropyOf(z, label);
      }, 0);
    });

  forEachDevice(() => {
    const pairsOf = (reference: tfl.LayersModel, options: Partial<ResponsePairsOptions> = {}): Promise<ResponsePairs> =>
      responsePairs({ reference, batches: [batch], ...options });
    const inputs = (): [tf.Tensor2D, tf.Tensor2D] => [
      tf.tensor2d(batch.inputIds, [B, T], 'int32'),
      tf.tensor2d(batch.labels, [B, T], 'int32'),
    ];
    const train = async (method: TappedMethod, model: tfl.LayersModel, steps: number): Promise<number[]> => {
      model.compile({ optimizer: tf.train.sgd(0.3), loss: method.loss });
      method.attach(model);
      const [xs, ys] = inputs();
      const losses: number[] = [];
      for (let i = 0; i < steps; i++) losses.push((await model.trainOnBatch(xs, ys)) as number);
      method.detach();
      tf.dispose([xs, ys]);
      return losses;
    };

    it('ask the reference once, in evaluation, and find what the float64 model does', async () => {
      const model = small();
      await weightsNow(model);
      const inFloat64 = logProbsIn(weightsOf(model));
      const before = tf.memory().numTensors;
      const pairs = await pairsOf(model);
      expect(tf.memory().numTensors).to.equal(before);
      expect(maxDifference(pairs.table().reference, inFloat64)).to.be.below(1e-5);
      expect(model.layers.some((layer) => Object.hasOwn(layer, 'call'))).to.equal(false);
      disposeModel(model);
    });

    it('have the loss of the model in float64, where the policy has moved away', async () => {
      const model = small();
      const reference = logProbsIn(await weightsNow(model));
      const pairs = await pairsOf(model);
      move(model);
      const policy = logProbsIn(await weightsNow(model));
      const [loss] = await train(dpo({ pairs, beta: 0.7 }), model, 1);
      expect(loss).to.be.closeTo(dpoReference(2, 0.7)(policy, reference), 1e-5);
      disposeModel(model);
    });

    it('learn what was chosen, with all weights and with an adapter', async () => {
      for (const withAdapter of [false, true]) {
        const model = small();
        if (withAdapter)
          addLora(model, { rank: 2, alpha: 4, dropout: 0, targets: ['q_proj', 'v_proj', 'o_proj'], seed: 1 });
        const losses = await train(sDpo({ pairs: await pairsOf(model) }), model, 12);
        expect(losses[0]).to.be.closeTo(Math.log(2), 1e-5);
        expect(losses[11]).to.be.below(withAdapter ? 0.6 : 0.2);
        disposeModel(model);
      }
    });

    it('read histories and items of the rows for an oracle', async () => {
      const model = small();
      const asked: number[][] = [];
      const scorer: ItemScorer = {
        name: 'oracle',
        numItems: 4,
        score: (histories) => {
          asked.push(...histories.map((history) => [...Array.from(history)]));
          return tf.tensor2d(histories.map((_, row) => [0, 1, 2, 3].map((item) => 10 * row + item)));
        },
      };
      const pairs = await pairsOf(model, { oracle: { scorer, trie: buildPrefixTrie(itemTokens) } });
      expect(asked).to.deep.equal([[0], [0], [3, 2], [3, 2]]);
      expect([...(pairs.table().oracle as Float32Array)]).to.deep.equal([1, 12, 23, 30]);
      const [loss] = await train(rosePo({ pairs }), model, 1);
      expect(loss).to.be.closeTo(Math.log(2), 1e-5);
      disposeModel(model);
    });

    it('refuse what does not fit, in one sentence', async () => {
      const model = small();
      expect(await messageOf(pairsOf(model, { groupSize: 1 }))).to.equal(
        'responsePairs: groupSize must be a whole number of at least 2, got 1',
      );
      expect(await messageOf(pairsOf(model, { groupSize: 3 }))).to.equal(
        'responsePairs: a batch must hold whole groups of 3 rows, got 4 rows; set groupSize, and no shuffling',
      );
      const labels = batch.labels.slice().fill(-100, T, 2 * T);
      expect(await messageOf(pairsOf(model, { batches: [{ ...batch, labels }] }))).to.equal(
        'responsePairs: each row must have a response, got none in row 1 of a batch',
      );
      const known = { reference: new Float32Array(3), oracle: null };
      expect(await messageOf(pairsOf(model, { known }))).to.equal(
        'responsePairs: known must be the table of these batches, 4 rows, got 3',
      );
      const oracle = { scorer: causalItemScorer(itemModel()), trie: buildPrefixTrie([[3, 5]]) };
      expect(await messageOf(pairsOf(model, { oracle }))).to.equal(
        "responsePairs: each response must be an item of the oracle's trie, got 3 6 in row 0",
      );
      const forgetful = {
        scorer: causalItemScorer(itemModel()),
        trie: buildPrefixTrie(itemTokens),
        historyOf: () => null,
      };
      expect(await messageOf(pairsOf(model, { oracle: forgetful }))).to.equal(
        'responsePairs: historyOf of the oracle must read a history from each prompt, got null for row 0; make the ' +
          'batches with prompts of the same language',
      );
      const swapped = (of: Int32Array): Int32Array =>
        Int32Array.from([0, 1, 3, 2].flatMap((row) => [...of.slice(row * T, (row + 1) * T)]));
      const shuffled = { ...batch, inputIds: swapped(batch.inputIds), labels: swapped(batch.labels) };
      const ordered = await pairsOf(model, { batches: [shuffled] });
      expect(await messageOf(train(dpo({ pairs: ordered }), model, 1))).to.equal(
        'dpo: the rows of a group must follow one another as responsePairs was given them, got others as group 1 of a ' +
          'batch; `fit` needs shuffle: false',
      );
      const others = { ...batch, inputIds: batch.inputIds.map((id) => (id === 7 ? 8 : id)) };
      const pairs = await pairsOf(model, { batches: [others] });
      expect(await messageOf(train(dpo({ pairs }), model, 1))).to.equal(
        'dpo: each row must be one of those that responsePairs was given, got another as row 2 of a batch; give it all ' +
          'batches',
      );
      disposeModel(model);
    });
  });
});
