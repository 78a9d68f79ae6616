import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import type { RewardContext } from '../../src/losses/reward';
import type { ItemScorer } from '../../src/models/item_scorer';
import { type ItemReward, itemReward, type ItemRewardOptions } from '../../src/rewards/item_reward';
import { forEachBackend, forEachDevice } from '../support/backends';
import { normals } from '../support/random';
import { maxDifference, softmax } from '../support/reference';

const N = 7;
const IGNORED = -100;

/** A teacher whose scores differ with every history, and the histories that it was asked about. */
function teacher(scoresOf = randomScores): { scorer: ItemScorer; asked: number[][] } {
  const asked: number[][] = [];
  const score = (histories: readonly ArrayLike<number>[]): tf.Tensor2D => {
    asked.push(...histories.map((history) => Array.from(history)));
    return tf.tensor2d(
      histories.map((history) => Array.from(scoresOf(Array.from(history)))),
      [histories.length, N],
    );
  };
  return { scorer: { name: 'fake', numItems: N, score }, asked };
}

function randomScores(history: readonly number[]): Float32Array {
  return normals(
    N,
    history.reduce((hash, item) => hash * 31 + item + 1, 7),
    2,
  );
}

/** Rows that begin with the token N and are filled with it; the labels from `firstLabel` on count. */
function contextOf(rows: readonly (readonly number[])[], firstLabel = 0): RewardContext {
  const sequenceLength = Math.max(...rows.map((row) => row.length));
  const inputIds = new Int32Array(rows.length * sequenceLength).fill(N);
  const labels = new Int32Array(rows.length * sequenceLength).fill(IGNORED);
  rows.forEach((row, b) =>
    row.forEach((item, t) => {
      if (t + 1 < row.length) inputIds[b * sequenceLength + t + 1] = item;
      if (t >= firstLabel) labels[b * sequenceLength + t] = item;
    }),
  );
  const positions = Int32Array.from([...labels.keys()].filter((at) => labels[at] !== IGNORED));
  return { inputIds, labels, batchSize: rows.length, sequenceLength, positions, vocabSize: N };
}

/** The items that the model knows at each response position, oldest first. */
function historiesOf({ inputIds, sequenceLength, positions }: RewardContext): number[][] {
  return Array.from(positions, (position) => {
    const start = position - (position % sequenceLength);
    return [...inputIds.slice(start, position + 1)].filter((item) => item < N);
  });
}

/** c of one history by sorting, in float64. */
function reference(
  history: readonly number[],
  { topK = 50, excludeSeen = false, temperature = 1 }: Partial<ItemRewardOptions>,
  scoresOf = randomScores,
): number[] {
  const scores = scoresOf(history);
  const kept = [...scores.keys()]
    .filter((item) => !excludeSeen || !history.includes(item))
    .sort((a, b) => scores[b] - scores[a] || a - b)
    .slice(0, topK);
  const masses = kept.length === 0 ? [] : softmax(kept.map((item) => scores[item] / temperature));
  return Array.from({ length: N }, (_, item) => (kept.includes(item) ? masses[kept.indexOf(item)] : 0));
}

function dense(reward: ItemReward, context: RewardContext): number[] {
  return tf.tidy(() => [...reward(context).dataSync()]);
}

const batch = contextOf([
  [0, 1, 2, 3, 1],
  [0, 1, 4],
  [5, 5],
]);
/** Distinct histories before the labels of `batch`, in the order in which they come. */
const distinct = [[], [0], [0, 1], [0, 1, 2], [0, 1, 2, 3], [5]];

describe('itemReward', () => {
  forEachBackend(() => {
    it('is the softmax of the best scores, 0 elsewhere', () => {
      // Scores ln 1 ... ln 7: of the two best, 7 and 6 of 13; square roots of them at temperature 2.
      const { scorer } = teacher(() => Float32Array.from({ length: N }, (_, item) => Math.log(item + 1)));
      const at = contextOf([[6, 3]], 1); // the history is item 6
      const expected: [Partial<ItemRewardOptions>, number[]][] = [
        [{ topK: 2 }, [0, 0, 0, 0, 0, 6 / 13, 7 / 13]],
        [{ topK: 2, temperature: 2 }, [0, 0, 0, 0, 0, 6 ** 0.5, 7 ** 0.5].map((mass) => mass / (6 ** 0.5 + 7 ** 0.5))],
        [{ topK: 2, excludeSeen: true }, [0, 0, 0, 0, 5 / 11, 6 / 11, 0]],
        [{ topK: 1 }, [0, 0, 0, 0, 0, 0, 1]],
        [{}, [1, 2, 3, 4, 5, 6, 7].map((mass) => mass / 28)],
      ];
      for (const [options, masses] of expected)
        expect(maxDifference(dense(itemReward({ scorer, ...options }), at), masses)).to.be.below(1e-6);
    });

    it('equals float64 for every history, dense and as entries', () => {
      for (const options of [
        {},
        { topK: 3 },
        { topK: N },
        { topK: 3, excludeSeen: true, temperature: 0.5 },
        { topK: 11, excludeSeen: true },
      ]) {
        const reward = itemReward({ scorer: teacher().scorer, ...options });
        const expected = historiesOf(batch).flatMap((history) => reference(history, options));
        expect(maxDifference(dense(reward, batch), expected), JSON.stringify(options)).to.be.below(1e-6);
        const { rows, tokens, masses } = (reward.entries as NonNullable<typeof reward.entries>)(batch);
        const values = masses.dataSync();
        const filled = new Float32Array(expected.length);
        rows.forEach((row, i) => (filled[row * N + tokens[i]] += values[i]));
        expect(maxDifference(filled, expected)).to.be.below(1e-6);
        expect(rows.length, 'no entry for what has no mass').to.equal(expected.filter((mass) => mass > 0).length);
        masses.dispose();
      }
    });

    it('prefers the lower of two items with the same score', () => {
      const reward = itemReward({ scorer: teacher(() => new Float32Array(N)).scorer, topK: 2 });
      expect(dense(reward, contextOf([[3]]))).to.deep.equal([0.5, 0.5, 0, 0, 0, 0, 0]);
    });

    it('reads a history up to the response position, in rows with padding and with labels that do not count', () => {
      const rows = [
        [0, 1, 2, 3, 1],
        [4, 0, 6],
      ];
      const later = contextOf(rows, 2);
      expect(historiesOf(later)).to.deep.equal([
        [0, 1],
        [0, 1, 2],
        [0, 1, 2, 3],
        [4, 0],
      ]);
      const expected = historiesOf(later).flatMap((history) => reference(history, { topK: 2 }));
      const reward = itemReward({ scorer: teacher().scorer, topK: 2 });
      expect(maxDifference(dense(reward, later), expected)).to.be.below(1e-6);
    });

    it('asks the teacher once about each history', () => {
      const { scorer, asked } = teacher();
      const reward = itemReward({ scorer, topK: 2 });
      const first = dense(reward, batch);
      expect(asked).to.deep.equal(distinct);
      expect(dense(reward, batch)).to.deep.equal(first);
      expect(asked.length).to.equal(distinct.length);
      dense(
        reward,
        contextOf([
          [5, 5, 5],
          [0, 1],
        ]),
      );
      expect(asked.slice(distinct.length), 'only what is new').to.deep.equal([[5, 5]]);
      expect(dense(reward, batch), 'what is known stays').to.deep.equal(first);
    });

    it('asks a teacher that scores prefixes for them', () => {
      const { scorer } = teacher();
      const pairs: string[] = [];
      const causal: ItemScorer = {
        ...scorer,
        score: () => {
          throw new Error('not asked');
        },
        scorePrefixes: (histories, rows, lengths) => {
          const asked = Array.from(
            rows,
            (row, r) => Array.prototype.slice.call(histories[row], 0, lengths[r]) as number[],
          );
          pairs.push(...asked.map((history) => history.join()));
          return scorer.score(asked);
        },
      };
      const reward = itemReward({ scorer: causal, topK: 2 });
      const expected = historiesOf(batch).flatMap((history) => reference(history, { topK: 2 }));
      expect(maxDifference(dense(reward, batch), expected)).to.be.below(1e-6);
      expect(pairs).to.deep.equal(distinct.map((history) => history.join()));
    });

    it('gives no mass where every item is seen, or none is possible', () => {
      const all = contextOf([[0, 1, 2, 3, 4, 5, 6, 0]], 7);
      const seen = itemReward({ scorer: teacher().scorer, excludeSeen: true });
      expect(dense(seen, all)).to.deep.equal(new Array(N).fill(0));
      const impossible = itemReward({ scorer: teacher(() => new Float32Array(N).fill(-Infinity)).scorer });
      expect(dense(impossible, all)).to.deep.equal(new Array(N).fill(0));
      const one = itemReward({
        scorer: teacher(() => new Float32Array(N).fill(-Infinity).fill(3, 2, 3)).scorer,
        topK: 2,
      });
      expect(dense(one, all)).to.deep.equal([0, 0, 1, 0, 0, 0, 0]);
    });

    it('refuses scores that are no numbers, and asks again once they are', () => {
      let isBroken = true;
      const { scorer, asked } = teacher((history) => {
        const scores = randomScores(history);
        if (isBroken && history.length === 2) scores[3] = NaN;
        return scores;
      });
      const reward = itemReward({ scorer, topK: 2 });
      const before = tf.memory().numTensors;
      expect(() => tf.tidy(() => reward(batch))).to.throw(
        'itemReward: scores must be numbers, got NaN from fake for item 3; its weights have diverged',
      );
      isBroken = false;
      const expected = historiesOf(batch).flatMap((history) => reference(history, { topK: 2 }));
      expect(maxDifference(dense(reward, batch), expected)).to.be.below(1e-6);
      expect(asked).to.deep.equal([...distinct, ...distinct]);
      expect(tf.memory().numTensors).to.equal(before);
      const infinite = itemReward({ scorer: teacher(() => new Float32Array(N).fill(Infinity)).scorer });
      expect(() => tf.tidy(() => infinite(batch))).to.throw(
        'itemReward: scores must be numbers, got Infinity from fake for item 0; its weights have diverged',
      );
    });

    it('lets no gradient through, and leaves no tensor behind', async () => {
      const weight = tf.variable(tf.tensor2d(randomScores([]), [1, N]));
      const scorer: ItemScorer = {
        name: 'variable',
        numItems: N,
        score: (histories) => tf.tile(weight as tf.Tensor as tf.Tensor2D, [histories.length, 1]),
      };
      const before = tf.memory().numTensors;
      const reward = itemReward({ scorer, topK: 3 });
      const { value, grads } = tf.variableGrads(
        () => tf.add(tf.sum(tf.square(reward(batch))), tf.sum(weight)) as tf.Scalar,
      );
      expect([...grads[weight.name].dataSync()]).to.deep.equal(new Array(N).fill(1));
      tf.dispose([value, grads]);
      await reward.prepare([contextOf([[2, 2, 2]])]);
      const mass = reward(batch);
      expect(tf.memory().numTensors).to.equal(before + 1);
      mass.dispose();
      reward.entries?.(batch).masses.dispose();
      expect(tf.memory().numTensors).to.equal(before);
      weight.dispose();
    });
  });

  forEachDevice(() => {
    it('can ask about all batches before the training', async () => {
      const { scorer, asked } = teacher();
      const [prepared, other] = [itemReward({ scorer, topK: 3 }), contextOf([[5, 2, 2]])];
      await prepared.prepare([batch, other]);
      const count = asked.length;
      expect(asked).to.deep.equal([...distinct, [5, 2]]);
      for (const context of [batch, other]) {
        const masses = prepared(context);
        const expected = historiesOf(context).flatMap((history) => reference(history, { topK: 3 }));
        expect(maxDifference(await masses.data(), expected)).to.be.below(1e-6);
        masses.dispose();
      }
      expect(asked.length).to.equal(count);
    });

    it('comes back from its table, without the teacher', async () => {
      const options = { topK: 4, excludeSeen: true };
      const first = itemReward({ scorer: teacher().scorer, ...options });
      await first.prepare([batch]);
      const table = first.table();
      expect([table.topK, table.items.length, table.masses.length]).to.deep.equal([4, 4 * 6, 4 * 6]);
      // four of seven items are seen before the last label of the first row: three are left
      expect([...table.items.slice(4 * 4, 5 * 4)].filter((item) => item < 0)).to.deep.equal([-1]);

      const { scorer, asked } = teacher();
      const restored = itemReward({ scorer, ...options });
      await restored.prepare([batch], table);
      const [masses, wanted] = [restored(batch), first(batch)];
      expect([...(await masses.data())]).to.deep.equal([...(await wanted.data())]);
      tf.dispose([masses, wanted]);
      expect(asked).to.deep.equal([]);
      expect(restored.table()).to.deep.equal(table);
      await restored.prepare([contextOf([[6, 6]])]); // it goes on as the first would have
      expect(asked).to.deep.equal([[6]]);
      expect(restored.table().items.slice(0, 24)).to.deep.equal(table.items);
    });

    it('refuses the table of other batches or another topK, and can then ask the teacher', async () => {
      const other = itemReward({ scorer: teacher().scorer, topK: 2 });
      await other.prepare([contextOf([[1, 2]])]);
      const reward = itemReward({ scorer: teacher().scorer, topK: 2 });
      const wide = itemReward({ scorer: teacher().scorer, topK: 3 });
      const messageOf = (promise: Promise<void>): Promise<string> =>
        promise.then(String, (error: Error) => error.message);
      expect(await messageOf(reward.prepare([batch], other.table()))).to.equal(
        'itemReward: known must be the table of these batches, 6 histories of 2 items, got 2 of 2',
      );
      await reward.prepare([batch]);
      expect(await messageOf(wide.prepare([batch], reward.table()))).to.equal(
        'itemReward: known must be the table of these batches, 6 histories of 3 items, got 6 of 2',
      );
      const masses = reward(batch);
      const expected = historiesOf(batch).flatMap((history) => reference(history, { topK: 2 }));
      expect(maxDifference(await masses.data(), expected)).to.be.below(1e-6);
      masses.dispose();
    });
  });

  it('asks a teacher of many items about a few histories at a time @slow', async () => {
    await tf.setBackend('cpu');
    const numItems = 2 ** 23 - 5; // two rows of scores are less than 2^24 numbers, three are more
    const asked: number[] = [];
    const scorer: ItemScorer = {
      name: 'large',
      numItems,
      score: (histories) => {
        asked.push(histories.length);
        const scores = new Float32Array(histories.length * numItems);
        histories.forEach((history, row) => (scores[row * numItems + 3 * history.length] = 100));
        return tf.tensor2d(scores, [histories.length, numItems]);
      },
    };
    const reward = itemReward({ scorer, topK: 1 });
    const inputIds = Int32Array.of(numItems, 0, 1, numItems, 2, 3);
    const { rows, tokens, masses } = (reward.entries as NonNullable<typeof reward.entries>)({
      inputIds,
      labels: Int32Array.of(0, 1, 2, 2, 3, 4),
      batchSize: 2,
      sequenceLength: 3,
      positions: Int32Array.of(0, 1, 2, 3, 4, 5),
      vocabSize: numItems,
    });
    expect(asked).to.deep.equal([2, 2, 1]); // both rows begin with no history
    expect([...rows]).to.deep.equal([0, 1, 2, 3, 4, 5]);
    expect([...tokens]).to.deep.equal([0, 3, 6, 0, 3, 6]);
    masses.dispose();
  });

  it('refuses options out of range', () => {
    const { scorer } = teacher();
    for (const topK of [0, 1.5, NaN])
      expect(() => itemReward({ scorer, topK })).to.throw(`itemReward: topK must be a positive integer, got ${topK}`);
    for (const temperature of [0, -1, Infinity, NaN])
      expect(() => itemReward({ scorer, temperature })).to.throw(
        `itemReward: temperature must be above 0, got ${temperature}; 1 is the default`,
      );
  });
});
