import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { ItemEmbedding, type ItemEmbeddingArgs, TokenEmbedding } from '../../src/layers';
import { causalLM } from '../../src/models/causal_lm';
import { disposeModel } from '../../src/models/dispose_model';
import { forEachBackend, forEachDevice } from '../support/backends';
import { normals } from '../support/random';
import { centralDifferences, maxDifference, type Rows, toRows } from '../support/reference';
import { savedArtifacts } from '../support/saved_artifacts';

const [N, D] = [11, 5];
/** Three levels; some items share both of the first codes, and two share all. */
const codes = [
  [0, 0, 0],
  [0, 0, 1],
  [0, 1, 0],
  [1, 0, 2],
  [1, 1, 0],
  [2, 1, 1],
  [2, 1, 1],
  [2, 2, 0],
  [3, 0, 0],
  [3, 0, 1],
  [0, 2, 2],
];
const args: ItemEmbeddingArgs = {
  numItems: N,
  hiddenSize: D,
  codes,
  nodeDepths: [2, 3],
  initializerRange: 0.5,
  seed: 3,
};
const ids = Int32Array.of(N, 3, 6, 0, N, 10);
const hidden = normals(2 * 3 * D, 1);

const idsTensor = (): tf.Tensor => tf.tensor2d(ids, [2, 3], 'int32');
const hiddenTensor = (): tf.Tensor => tf.tensor3d(hidden, [2, 3, D]);

function built(own: Partial<ItemEmbeddingArgs> = {}): ItemEmbedding {
  const layer = new ItemEmbedding({ ...args, ...own });
  tf.tidy(() => void layer.apply(idsTensor()));
  return layer;
}

const nameOf = (weight: tfl.LayerVariable): string => weight.originalName.split('/').pop() as string;

/** Sets weights by name. */
function write(layer: tfl.layers.Layer, values: Readonly<Record<string, ArrayLike<number>>>): void {
  tf.tidy(() => {
    for (const weight of layer.weights) {
      const value = values[nameOf(weight)];
      if (value !== undefined) weight.write(tf.tensor(Float32Array.from(value), weight.shape as number[]));
    }
  });
}

/** The float32 weights of a layer, by name. */
async function read(layer: tfl.layers.Layer): Promise<Map<string, Float32Array>> {
  const entries = layer.weights
    .filter(({ dtype }) => dtype === 'float32')
    .map(async (weight) => [nameOf(weight), await weight.read().data<'float32'>()] as const);
  return new Map(await Promise.all(entries));
}

/** T of all items and the start token by loops in float64, [N + 1, D]: what `args` asks for. */
function composed(weights: ReadonlyMap<string, ArrayLike<number>>): Rows {
  const keys = [0, 1, 2]
    .map((level) => (code: number[]) => String(code[level]))
    .concat([2, 3].map((depth) => (code: number[]) => code.slice(0, depth).join()));
  const tables = keys.map((keyOf, i) => ({
    keyOf,
    known: [...new Set(codes.map(keyOf))],
    rows: toRows(weights.get(`table_${i}`) as ArrayLike<number>, D),
  }));
  return toRows(weights.get('weight') as ArrayLike<number>, D).map((own, item) =>
    own.map((value, d) =>
      tables.reduce(
        (sum, { keyOf, known, rows }) => sum + rows[item === N ? known.length : known.indexOf(keyOf(codes[item]))][d],
        value,
      ),
    ),
  );
}

describe('ItemEmbedding', () => {
  forEachDevice(() => {
    it('adds the rows of an item, of its codes and of its pair of codes, and scores with the sum', async () => {
      // T_0 = (1 + 10, 1 + 10), T_1 = (2 + 10, 2 + 20), T_2 = (3 + 20, 1 + 30); the start token (4 + 30, 3 + 40).
      const layer = new ItemEmbedding({
        numItems: 3,
        hiddenSize: 2,
        inputScale: 0.5,
        codes: [
          [0, 0],
          [0, 1],
          [1, 0],
        ],
      });
      tf.tidy(() => void layer.apply(tf.zeros([1, 1], 'int32')));
      write(layer, {
        weight: [1, 0, 2, 0, 3, 0, 4, 0],
        table_0: [10, 0, 20, 0, 30, 0],
        table_1: [0, 1, 0, 2, 0, 3],
        table_2: [0, 10, 0, 20, 0, 30, 0, 40],
        bias: [0.5, -1, 0],
      });
      const made = tf.tidy(() => [
        layer.apply(tf.tensor2d([[3, 0, 2]], [1, 3], 'int32')) as tf.Tensor,
        layer.apply(tf.tensor3d([1, -1], [1, 1, 2])) as tf.Tensor,
      ]);
      expect([...(await made[0].data())]).to.deep.equal([17, 21.5, 5.5, 5.5, 11.5, 15.5]);
      expect([...(await made[1].data())]).to.deep.equal([0.5, -11, -8]);
      expect(made.map(({ shape }) => shape)).to.deep.equal([
        [1, 3, 2],
        [1, 1, 3],
      ]);
      tf.dispose(made);
      layer.dispose();
    });

    it('composes all items and the start token as loops in float64 do', async () => {
      const layer = built();
      const rows = composed(await read(layer));
      const made = tf.tidy(() => [layer.weight, layer.apply(idsTensor()) as tf.Tensor]);
      expect(maxDifference(await made[0].data(), rows.slice(0, N).flat())).to.be.below(1e-6);
      const expected = Array.from(ids).flatMap((id) => rows[id].map((value) => Math.sqrt(D) * value));
      expect(maxDifference(await made[1].data(), expected)).to.be.below(1e-5);
      tf.dispose(made);
      layer.dispose();
    });

    it('makes the rows of some items alone, as they are in the whole', async () => {
      const layer = built();
      const items = [9, 2, 2, 6];
      const made = tf.tidy(() => [layer.weight, layer.rowsOf(tf.tensor1d(items, 'int32'))]);
      const whole = toRows(await made[0].data(), D);
      expect(toRows(await made[1].data(), D)).to.deep.equal(items.map((item) => whole[item]));
      tf.dispose(made);
      layer.dispose();
    });

    it('has the gradients of central differences, as the input and as the head', async () => {
      const layer = built({ useRepeatBias: true });
      const weights = await read(layer);
      const upstream = { input: normals(ids.length * D, 5), head: normals(2 * 3 * N, 7) };
      const value = (changed: ReadonlyMap<string, ArrayLike<number>>, use: 'input' | 'head'): number => {
        const rows = composed(changed);
        const bias = changed.get('bias') as ArrayLike<number>;
        const out =
          use === 'input'
            ? Array.from(ids).flatMap((id) => rows[id].map((each) => Math.sqrt(D) * each))
            : toRows(hidden, D).flatMap((h) =>
                rows.slice(0, N).map((row, item) => row.reduce((sum, each, d) => sum + each * h[d], bias[item])),
              );
        return out.reduce((sum, each, i) => sum + each * upstream[use][i], 0);
      };
      for (const use of ['input', 'head'] as const) {
        const { value: loss, grads } = tf.variableGrads(() => {
          const out = layer.apply(use === 'input' ? idsTensor() : hiddenTensor()) as tf.Tensor;
          return tf.sum(tf.mul(tf.reshape(out, [-1]), tf.tensor1d(upstream[use]))) as tf.Scalar;
        });
        for (const weight of layer.trainableWeights) {
          const name = nameOf(weight);
          const gradient = grads[(weight.read() as tf.Variable).name] as tf.Tensor | null | undefined;
          const got = gradient === null || gradient === undefined ? null : await gradient.data();
          const at = weights.get(name) as Float32Array;
          const wanted = centralDifferences((x) => value(new Map(weights).set(name, x as never), use), at);
          const isUsed = name !== 'repeat_bias' && (use === 'head' || name !== 'bias');
          if (!isUsed) expect(got === null || got.every((each) => each === 0), `${use} ${name}`).to.equal(true);
          else expect(maxDifference(got as Float32Array, wanted), `${use} ${name}`).to.be.below(2e-5);
        }
        tf.dispose([loss, grads]);
      }
      layer.dispose();
    });
  });

  forEachBackend(() => {
    it('without codes is a TokenEmbedding of N + 1 tokens times sqrt(D) that does not score the last', () => {
      tf.tidy(() => {
        const items = built({ codes: null, nodeDepths: null });
        const tokens = new TokenEmbedding({ vocabSize: N + 1, hiddenSize: D, initializerRange: 0.5 });
        tokens.apply(idsTensor());
        tokens.weights[0].write(items.weights[0].read());
        expect(items.weights.map(nameOf)).to.deep.equal(['weight', 'bias']);
        const [x, y] = [items, tokens].map((layer) => layer.apply(idsTensor()) as tf.Tensor);
        expect(maxDifference(x.dataSync(), tf.mul(y, Math.sqrt(D)).dataSync())).to.be.below(1e-6);
        const [z, all] = [items, tokens].map((layer) => layer.apply(hiddenTensor()) as tf.Tensor);
        expect(maxDifference(z.dataSync(), tf.slice(all, [0, 0, 0], [2, 3, N]).dataSync())).to.be.below(1e-6);
        items.dispose();
        tokens.dispose();
      });
    });

    it('begins a history with the token N, which has rows of its own', () => {
      tf.tidy(() => {
        const layer = built();
        expect(layer.startTokenId).to.equal(N);
        const start = layer.rowsOf(tf.tensor1d([N], 'int32')).dataSync();
        expect(
          layer.weights.filter(({ dtype }) => dtype === 'float32').map(({ shape }) => shape[0]),
          '4, 3 and 3 codes, 8 pairs and 10 triples, and the start token',
        ).to.deep.equal([N + 1, 5, 4, 4, 9, 11, N]);
        const last = layer.weights
          .filter((weight) => nameOf(weight).startsWith('table_'))
          .map((weight) => tf.slice(weight.read(), [(weight.shape[0] as number) - 1, 0], [1, D]))
          .concat(tf.slice(layer.weights[0].read(), [N, 0], [1, D]))
          .reduce((sum, row) => tf.add(sum, row));
        expect(maxDifference(start, last.dataSync())).to.be.below(1e-6);
        layer.dispose();
      });
    });

    it('reads from codes only which items share them', () => {
      tf.tidy(() => {
        const [layer, renamed] = [
          built(),
          built({ codes: codes.map(([a, b, c]) => Int32Array.of(97 - a, 10 * b, c + 1000)) }),
        ];
        expect([...renamed.weight.dataSync()]).to.deep.equal([...layer.weight.dataSync()]);
        layer.dispose();
        renamed.dispose();
      });
    });

    it('has a repeat bias only where it is asked for, 0 at first', () => {
      const [without, with_] = [built(), built({ useRepeatBias: true })];
      expect(without.repeatBias).to.equal(null);
      expect([...(with_.repeatBias as tf.Tensor1D).dataSync()]).to.deep.equal([0]);
      without.dispose();
      with_.dispose();
    });

    it('has the same rows for the same seed, others in each table, and zeros where the range is 0', () => {
      const [one, same, other, zeros] = [built(), built(), built({ seed: 4 }), built({ initializerRange: 0 })];
      const values = (layer: ItemEmbedding): number[] => tf.tidy(() => [...layer.weight.dataSync()]);
      expect(values(same)).to.deep.equal(values(one));
      expect(maxDifference(values(one), values(other))).to.be.above(0.1);
      expect(values(zeros).every((value) => value === 0)).to.equal(true);
      const first = one.weights.slice(0, 6).map((weight) => tf.tidy(() => weight.read().dataSync()[0]));
      expect(new Set(first).size).to.equal(6);
      for (const layer of [one, same, other, zeros]) layer.dispose();
    });

    it('is rebuilt from its config, and has the same rows once its weights are set: the codes are among them', () => {
      tf.tidy(() => {
        const layer = built({ useRepeatBias: true, inputScale: 3 });
        const { name: _, ...config } = layer.getConfig();
        expect(config).to.deep.equal({
          trainable: true,
          numItems: N,
          hiddenSize: D,
          initializerRange: 0.5,
          seed: 3,
          useRepeatBias: true,
          inputScale: 3,
          tableSizes: [4, 3, 3, 8, 10],
        });
        const rebuilt = new ItemEmbedding(config as unknown as ItemEmbeddingArgs);
        rebuilt.apply(idsTensor());
        rebuilt.setWeights(layer.getWeights());
        for (const input of [idsTensor, hiddenTensor])
          expect([...(rebuilt.apply(input()) as tf.Tensor).dataSync()]).to.deep.equal([
            ...(layer.apply(input()) as tf.Tensor).dataSync(),
          ]);
        const { name: _again, ...configAgain } = rebuilt.getConfig();
        expect(configAgain).to.deep.equal(config);
        layer.dispose();
        rebuilt.dispose();
      });
    });

    it('comes back from a saved model with its codes, kept in int32', async () => {
      const model = causalLM({
        vocabSize: N,
        hiddenSize: 6,
        numHiddenLayers: 1,
        numAttentionHeads: 1,
        items: { codes, useRepeatBias: true },
      });
      const artifacts = await savedArtifacts(model);
      expect(
        artifacts.weightSpecs?.filter(({ dtype }) => dtype === 'int32').map(({ name, shape }) => [name, shape]),
      ).to.deep.equal([0, 1, 2, 3].map((table) => [`embed_tokens/index_${table}`, [N + 1]]));
      const loaded = await tfl.loadLayersModel(tf.io.fromMemory(artifacts));
      const predict = (own: tfl.LayersModel): number[] =>
        tf.tidy(() => [...(own.predict(idsTensor()) as tf.Tensor).dataSync()]);
      expect(predict(loaded)).to.deep.equal(predict(model));
      const before = tf.tidy(() => loaded.layers[1].nonTrainableWeights.map((w) => [...w.read().dataSync()]));
      loaded.compile({ optimizer: tf.train.adam(0.1), loss: (_labels, z) => tf.mean(tf.square(z)) as tf.Scalar });
      const [xs, ys] = [idsTensor(), tf.zeros([2, 3, N])];
      await loaded.trainOnBatch(xs, ys);
      const after = tf.tidy(() => loaded.layers[1].nonTrainableWeights.map((w) => [...w.read().dataSync()]));
      expect(after, 'training leaves the codes').to.deep.equal(before);
      expect(before.length).to.equal(4);
      tf.dispose([xs, ys]);
      disposeModel(model);
      disposeModel(loaded);
    });

    it('leaves no tensor behind', () => {
      const before = tf.memory().numTensors;
      const layer = built({ useRepeatBias: true });
      const [xs, states, items] = [idsTensor(), hiddenTensor(), tf.tensor1d([2, 3], 'int32')];
      expect(tf.memory().numTensors).to.equal(before + layer.weights.length + 3);
      const made = [layer.apply(xs) as tf.Tensor, layer.apply(states) as tf.Tensor, layer.weight, layer.rowsOf(items)];
      expect(tf.memory().numTensors).to.equal(before + layer.weights.length + 7);
      tf.dispose([made, xs, states, items]);
      layer.dispose();
      expect(tf.memory().numTensors).to.equal(before);
    });
  });

  it('refuses sizes and codes that do not fit', () => {
    const make =
      (own: Partial<ItemEmbeddingArgs>): (() => unknown) =>
      () =>
        new ItemEmbedding({ ...args, ...own });
    expect(make({ numItems: 0 })).to.throw('ILRecItemEmbedding: numItems must be a positive integer, got 0');
    expect(make({ hiddenSize: 2.5 })).to.throw('ILRecItemEmbedding: hiddenSize must be a positive integer, got 2.5');
    expect(make({ codes: codes.slice(1) })).to.throw(
      'ILRecItemEmbedding: codes must have one list for each of the 11 items, got 10',
    );
    expect(make({ codes: codes.map((code, item) => (item === 4 ? [1] : code)) })).to.throw(
      'ILRecItemEmbedding: all codes must have 3 levels, got 1 for item 4',
    );
    for (const depth of [1, 4, 2.5])
      expect(make({ nodeDepths: [2, depth] })).to.throw(
        `ILRecItemEmbedding: nodeDepths must be from 2 to the 3 levels of the codes, got ${depth}`,
      );
  });
});
