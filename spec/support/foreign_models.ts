import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { ForeignAttention, ForeignGain, ForeignPositions, ForeignTiedHead, through } from './foreign_layers';

type Layer = tfl.layers.Layer;
const { layers } = tfl;

/** V, D and T of the foreign models. */
export const SIZES = { vocabSize: 19, hiddenSize: 8, length: 6 };
const { vocabSize, hiddenSize, length } = SIZES;

/** A model as a user brings it, with what has to be found of it. */
export interface ForeignModel {
  readonly name: string;
  build(): tfl.LayersModel;
  /** Names of the layers that put out the blocks' hidden states, one for each call. */
  readonly blocks: readonly string[];
  /** Names of the layers that follow the last block. */
  readonly behind: readonly string[];
  /** Whether the model gives probabilities. */
  readonly softmax?: boolean;
  /** The model's inputs, of token ids [B, T]. */
  inputs?(ids: tf.Tensor2D): tf.Tensor[];
}

type Recurrent = 'lstm' | 'gru' | 'simpleRNN';

export const recurrent = (kind: Recurrent, name: string, units = hiddenSize, extra: object = {}): Layer =>
  layers[kind]({ name, units, returnSequences: true, recurrentInitializer: 'glorotUniform', ...extra });
export const embedding = (extra: object = {}): Layer =>
  layers.embedding({ name: 'tokens', inputDim: vocabSize, outputDim: hiddenSize, ...extra });
export const dense = (name = 'out', units = vocabSize, activation?: 'softmax' | 'sigmoid' | 'tanh'): Layer =>
  layers.dense({ name, units, activation });
export const norm = (name: string): Layer => layers.layerNormalization({ name });
export const attention = (name: string, args: { residual?: boolean; causal?: boolean } = { residual: true }): Layer =>
  new ForeignAttention({ name, ...args });

/** Embedding and then the layers given. */
export const stack = (...rest: Layer[]): tfl.Sequential =>
  tfl.sequential({ layers: [embedding({ inputShape: [length] }), ...rest] });

/** A functional model of token ids; `body` gets the embedded tokens. */
export function functional(
  body: (x: tfl.SymbolicTensor) => tfl.SymbolicTensor | tfl.SymbolicTensor[],
): tfl.LayersModel {
  const ids = tfl.input({ shape: [null], dtype: 'int32', name: 'ids' });
  return tfl.model({ inputs: ids, outputs: body(through(embedding(), ids)) });
}

export const chain = (x: tfl.SymbolicTensor, ...rest: Layer[]): tfl.SymbolicTensor =>
  rest.reduce((value, layer) => through(layer, value), x);
const three = <T>(of: (at: number) => T): T[] => [0, 1, 2].map(of);
const add = (name: string, ...xs: tfl.SymbolicTensor[]): tfl.SymbolicTensor =>
  layers.add({ name }).apply(xs) as tfl.SymbolicTensor;

/** A block as a model of its own: x + attention(norm(x)). */
function nestedBlock(name: string): tfl.LayersModel {
  const x = tfl.input({ shape: [null, hiddenSize] });
  return tfl.model({
    name,
    inputs: x,
    outputs: add(`${name}_add`, x, chain(x, norm(`${name}_norm`), attention(`${name}_attention`, {}))),
  });
}

const backbone = (): tfl.LayersModel =>
  functional((x) => chain(x, ...three((at) => attention(`block${at}`)), norm('final')));

const positionsOf = ([rows, columns]: number[]): tf.Tensor =>
  tf.tile(tf.reshape(tf.range(0, columns, 1, 'int32'), [1, columns]), [rows, 1]);

export const FOREIGN_MODELS: readonly ForeignModel[] = [
  {
    name: 'LSTM layers with dropout between',
    build: () =>
      stack(
        recurrent('lstm', 'a'),
        layers.dropout({ rate: 0 }),
        recurrent('lstm', 'b'),
        layers.dropout({ rate: 0 }),
        dense(),
      ),
    blocks: ['a', 'b'],
    behind: ['out'],
  },
  {
    name: 'recurrent layers of several kinds, one with a softmax head',
    build: () =>
      stack(
        recurrent('lstm', 'a'),
        recurrent('gru', 'b'),
        recurrent('simpleRNN', 'c'),
        dense('out', vocabSize, 'softmax'),
      ),
    blocks: ['a', 'b', 'c'],
    behind: ['out'],
    softmax: true,
  },
  {
    name: 'a TimeDistributed head with softmax',
    build: () =>
      stack(
        recurrent('gru', 'a'),
        recurrent('gru', 'b'),
        layers.timeDistributed({ name: 'out', layer: dense('inner', vocabSize, 'softmax') }),
      ),
    blocks: ['a', 'b'],
    behind: ['out'],
    softmax: true,
  },
  {
    name: 'a softmax layer behind the head',
    build: () =>
      stack(recurrent('gru', 'a'), recurrent('gru', 'b'), dense(), layers.softmax({ name: 'probabilities', axis: -1 })),
    blocks: ['a', 'b'],
    behind: ['out', 'probabilities'],
    softmax: true,
  },
  {
    name: 'an activation layer behind the head, at D = V',
    build: () =>
      stack(
        recurrent('gru', 'a', vocabSize),
        recurrent('gru', 'b', vocabSize),
        dense(),
        layers.activation({ name: 'probabilities', activation: 'softmax' }),
      ),
    blocks: ['a', 'b'],
    behind: ['out', 'probabilities'],
    softmax: true,
  },
  {
    name: 'a norm in each block and none at the end',
    build: () =>
      stack(
        recurrent('gru', 'a'),
        norm('na'),
        recurrent('gru', 'b'),
        norm('nb'),
        recurrent('gru', 'c'),
        norm('nc'),
        dense(),
      ),
    blocks: ['na', 'nb', 'nc'],
    behind: ['out'],
  },
  {
    name: 'norms between the blocks',
    build: () =>
      stack(recurrent('gru', 'a'), norm('na'), recurrent('gru', 'b'), norm('nb'), recurrent('gru', 'c'), dense()),
    blocks: ['a', 'b', 'c'],
    behind: ['out'],
  },
  {
    name: 'a norm before each block and a final one',
    build: () => stack(norm('n0'), recurrent('gru', 'a'), norm('n1'), recurrent('gru', 'b'), norm('n2'), dense()),
    blocks: ['a', 'b'],
    behind: ['n2', 'out'],
  },
  {
    name: 'a final norm, dropout and a projection before the head',
    build: () =>
      stack(
        recurrent('gru', 'a'),
        recurrent('gru', 'b'),
        norm('final'),
        layers.dropout({ rate: 0 }),
        dense('narrow', 5, 'tanh'),
        dense(),
      ),
    blocks: ['a', 'b'],
    behind: ['final', 'narrow', 'out'],
  },
  {
    name: 'a first block of another width',
    build: () => stack(recurrent('gru', 'wide', 12), recurrent('gru', 'a'), recurrent('gru', 'b'), dense()),
    blocks: ['a', 'b'],
    behind: ['out'],
  },
  {
    name: 'foreign blocks with a final norm and a tied head',
    build: () => {
      const tokens = embedding();
      const ids = tfl.input({ shape: [null], dtype: 'int32' });
      const x = chain(
        through(tokens, ids),
        new ForeignPositions({ name: 'positions' }),
        ...three((at) => attention(`block${at}`)),
        norm('final'),
      );
      return tfl.model({
        inputs: ids,
        outputs: through(new ForeignTiedHead({ name: 'out', table: tokens, numTokens: vocabSize }), x),
      });
    },
    blocks: ['block0', 'block1', 'block2'],
    behind: ['final', 'out'],
  },
  {
    name: 'additions outside of the layers, norms first',
    build: () =>
      functional((tokens) => {
        const x = [0, 1, 2].reduce((before, at) => {
          const attended = add(
            `attended${at}`,
            before,
            chain(before, norm(`na${at}`), attention(`attention${at}`, {})),
          );
          return add(
            `block${at}`,
            attended,
            chain(attended, norm(`nb${at}`), dense(`up${at}`, 12, 'tanh'), dense(`down${at}`, hiddenSize)),
          );
        }, tokens);
        return chain(x, norm('final'), dense());
      }),
    blocks: ['block0', 'block1', 'block2'],
    behind: ['final', 'out'],
  },
  {
    name: 'additions outside of the layers, norms last',
    build: () =>
      functional((tokens) => {
        const x = [0, 1].reduce(
          (before, at) => {
            const attended = through(
              norm(`na${at}`),
              add(`attended${at}`, before, through(attention(`attention${at}`, {}), before)),
            );
            return through(
              norm(`block${at}`),
              add(
                `added${at}`,
                attended,
                chain(attended, dense(`up${at}`, 12, 'tanh'), dense(`down${at}`, hiddenSize)),
              ),
            );
          },
          through(norm('embedded'), tokens),
        );
        return through(dense(), x);
      }),
    blocks: ['block0', 'block1'],
    behind: ['out'],
  },
  {
    name: 'a final norm that is not named as one',
    build: () =>
      functional((x) =>
        chain(x, ...three((at) => attention(`block${at}`)), new ForeignGain({ name: 'gain' }), dense()),
      ),
    blocks: ['block0', 'block1', 'block2'],
    behind: ['gain', 'out'],
  },
  {
    name: 'blocks that are models',
    build: () => functional((x) => chain(x, ...three((at) => nestedBlock(`block${at}`)), norm('final'), dense())),
    blocks: ['block0', 'block1', 'block2'],
    behind: ['final', 'out'],
  },
  {
    name: 'one block used three times',
    build: () =>
      functional((x) => {
        const block = attention('block');
        return chain(x, block, block, block, norm('final'), dense());
      }),
    blocks: ['block', 'block', 'block'],
    behind: ['final', 'out'],
  },
  {
    name: 'one model used as a block three times',
    build: () =>
      functional((x) => {
        const block = nestedBlock('block');
        return chain(x, block, block, block, norm('final'), dense());
      }),
    blocks: ['block', 'block', 'block'],
    behind: ['final', 'out'],
  },
  {
    name: 'a backbone as one layer of another model',
    build: () => {
      const ids = tfl.input({ shape: [null], dtype: 'int32' });
      return tfl.model({ inputs: ids, outputs: chain(ids, backbone(), dense()) });
    },
    blocks: ['block0', 'block1', 'block2'],
    behind: ['final', 'out'],
  },
  {
    name: 'a sequential model that starts with a model',
    build: () => tfl.sequential({ layers: [backbone(), dense()] }),
    blocks: ['block0', 'block1', 'block2'],
    behind: ['final', 'out'],
  },
  {
    name: 'ids, a mask and positions as inputs',
    build: () => {
      const [ids, mask, positions] = [
        tfl.input({ shape: [null], dtype: 'int32', name: 'tokens_in' }),
        tfl.input({ shape: [null], name: 'mask_in' }),
        tfl.input({ shape: [null], dtype: 'int32', name: 'positions_in' }),
      ];
      const table = layers.embedding({ name: 'positions', inputDim: 16, outputDim: hiddenSize });
      let x = add('embedded', through(table, positions), through(embedding(), ids));
      for (const at of [0, 1, 2]) x = attention(`block${at}`).apply([x, mask]) as tfl.SymbolicTensor;
      return tfl.model({ inputs: [mask, ids, positions], outputs: chain(x, norm('final'), dense()) });
    },
    blocks: ['block0', 'block1', 'block2'],
    behind: ['final', 'out'],
    inputs: (ids) => [tf.ones(ids.shape), tf.clone(ids), positionsOf(ids.shape)],
  },
  {
    name: 'blocks that return arrays and hand their states on',
    build: () =>
      functional((tokens) => {
        const [first, ...states] = recurrent('lstm', 'a', hiddenSize, { returnState: true }).apply(
          tokens,
        ) as tfl.SymbolicTensor[];
        const [second] = recurrent('lstm', 'b', hiddenSize, { returnState: true }).apply(first, {
          initialState: states,
        } as unknown as object) as tfl.SymbolicTensor[];
        return through(dense(), second);
      }),
    blocks: ['a', 'b'],
    behind: ['out'],
  },
  {
    name: 'one-hot inputs instead of ids',
    build: () =>
      tfl.sequential({
        layers: [
          recurrent('gru', 'a', hiddenSize, { inputShape: [null, vocabSize] }),
          recurrent('gru', 'b'),
          dense('out', vocabSize, 'softmax'),
        ],
      }),
    blocks: ['a', 'b'],
    behind: ['out'],
    softmax: true,
    inputs: (ids) => [tf.cast(tf.oneHot(ids, vocabSize), 'float32')],
  },
];
