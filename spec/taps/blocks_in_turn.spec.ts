import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { ilrec } from '../../src/ilrec/ilrec';
import { findTaps } from '../../src/taps';
import { forEachBackend, forEachDevice } from '../support/backends';
import { ForeignAttention, ForeignPositions } from '../support/foreign_layers';
import { attention, chain, dense, functional, norm, recurrent, SIZES, stack } from '../support/foreign_models';
import { savedArtifacts } from '../support/saved_artifacts';

type Layer = tfl.layers.Layer;
const { hiddenSize: D } = SIZES;

/** Attention of another class. */
class OtherAttention extends ForeignAttention {
  static override readonly className = 'LocalAttention';
}
tf.serialization.registerClass(OtherAttention);

/** x + tanh(x), position by position, though its class is not known. */
class OwnMlp extends tfl.layers.Layer {
  static readonly className = 'ResidualMlp';

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const x = Array.isArray(inputs) ? inputs[0] : inputs;
    return tf.tidy(() => tf.add(x, tf.tanh(x)));
  }
}
tf.serialization.registerClass(OwnMlp);

const A = (name: string): Layer => attention(name);
const B = (name: string): Layer => new OtherAttention({ name, residual: true });
const mlp = (name: string): Layer => new OwnMlp({ name });

/** One layer for each letter, named after letter and place. */
const layersOf = (letters: string): Layer[] =>
  [...letters].map((letter, at) => {
    const make = { A, B, m: mlp, n: norm, p: (name: string) => new ForeignPositions({ name }) }[letter];
    return (make as (name: string) => Layer)(`${letter}${at}`);
  });
const inRow = (letters: string): tfl.LayersModel => functional((x) => chain(x, ...layersOf(letters), dense()));
const found = (model: tfl.LayersModel): { blocks: string; norm: string | undefined } => {
  const { blocks, norm } = findTaps(model);
  return { blocks: blocks.map(({ name }) => name).join(' '), norm: norm?.name };
};

/** x + layer(x) for each letter, with the addition as a layer of its own. */
function additions(letters: string): tfl.LayersModel {
  return functional((x) => {
    let hidden = x;
    [...letters].forEach((letter, at) => {
      const inner = { A: () => attention(`a${at}`, {}), B: () => new OtherAttention({ name: `b${at}` }) }[letter];
      const attended = chain(hidden, norm(`na${at}`), (inner as () => Layer)());
      hidden = tfl.layers.add({ name: `attended${at}` }).apply([hidden, attended]) as tfl.SymbolicTensor;
      const fed = chain(hidden, norm(`nb${at}`), dense(`up${at}`, 5, 'tanh'), dense(`down${at}`, D));
      hidden = tfl.layers.add({ name: `${letter}${at}` }).apply([hidden, fed]) as tfl.SymbolicTensor;
    });
    return chain(hidden, norm('final'), dense());
  });
}

/** A model of its own for each letter. */
function nested(letters: string): tfl.LayersModel {
  return functional((x) => {
    const blocks = [...letters].map((letter, at): Layer => {
      const input = tfl.input({ shape: [null, D] });
      const inside = letter === 'A' ? [norm(`in${at}`), A(`a${at}`)] : [B(`b${at}`), norm(`out${at}`), mlp(`m${at}`)];
      return tfl.model({ name: `${letter}${at}`, inputs: input, outputs: chain(input, ...inside) });
    });
    return chain(x, ...blocks, norm('final'), dense());
  });
}

describe('blocks of two classes in turn', () => {
  forEachDevice(() => {
    for (const [letters, blocks, final] of [
      ['ABAB', 'A0 B1 A2 B3', undefined],
      ['ABABn', 'A0 B1 A2 B3', 'n4'],
      ['AABAAn', 'A0 A1 B2 A3 A4', 'n5'],
      ['ABABAn', 'A0 B1 A2 B3 A4', 'n5'],
      ['ABAn', 'A0 B1 A2', 'n3'],
      ['ABBAn', 'A0 B1 B2 A3', 'n4'],
      ['AABBn', 'A0 A1 B2 B3', 'n4'],
      ['pABABn', 'A1 B2 A3 B4', 'n5'],
      ['pAAAn', 'A1 A2 A3', 'n4'],
      ['BAAAn', 'A1 A2 A3', 'n4'],
      ['AmBmAmBmn', 'm1 m3 m5 m7', 'n8'],
      ['AmAmn', 'm1 m3', 'n4'],
      ['nAnBnAn', 'A1 B3 A5', 'n6'],
    ] as const)
      it(`are each found in ${letters}`, () => {
        expect(found(inRow(letters))).to.deep.equal({ blocks, norm: final });
      });

    it('are found with additions outside of the layers', () => {
      for (const letters of ['ABAB', 'AABAA', 'ABABA'])
        expect(found(additions(letters))).to.deep.equal({
          blocks: [...letters].map((letter, at) => letter + at).join(' '),
          norm: 'final',
        });
    });

    it('are found where each is a model', () => {
      for (const letters of ['AA', 'ABAB', 'AABAA', 'ABABA'])
        expect(found(nested(letters))).to.deep.equal({
          blocks: [...letters].map((letter, at) => letter + at).join(' '),
          norm: 'final',
        });
    });

    it('are found where recurrent layers and causal convolutions take turns', () => {
      const conv = (name: string): Layer => tfl.layers.conv1d({ name, filters: D, kernelSize: 2, padding: 'causal' });
      expect(found(stack(recurrent('gru', 'a'), conv('b'), recurrent('gru', 'c'), conv('d'), dense()))).to.deep.equal({
        blocks: 'a b c d',
        norm: undefined,
      });
    });
  });

  forEachBackend(() => {
    it('are tapped: the objective sees the three before the last', async () => {
      const model = inRow('ABABAn');
      const loaded = await tfl.loadLayersModel(tf.io.fromMemory(await savedArtifacts(model)));
      expect(found(loaded)).to.deep.equal(found(model));
      const method = ilrec({ numNegativeLayers: 3, distillationWeight: 1 });
      method.attach(loaded);
      method.lossOf(tf.tensor2d([[1, 2, 3]], [1, 3], 'int32'), tf.tensor2d([[2, 3, 4]], [1, 3], 'int32')).dispose();
      expect((await method.diagnostics())?.klPerLayer.length).to.equal(3);
      method.detach();
    });
  });
});
