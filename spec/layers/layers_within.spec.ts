import * as tfl from '@tensorflow/tfjs-layers';
import { expect } from 'chai';
import { layersWithin } from '../../src/layers/layers_within';
import { forEachBackend } from '../support/backends';

describe('layersWithin', () => {
  forEachBackend(() => {
    it("finds what a wrapper, a cell, a nested model and a layer of a user's own hold, each once", () => {
      const dense = tfl.layers.dense({ units: 2, name: 'dense' });
      class Holder extends tfl.layers.Layer {
        static readonly className = 'SpecHolder';
        readonly listed = [dense, tfl.layers.dense({ units: 2, name: 'listed' })];
        readonly byName = { inner: tfl.layers.dense({ units: 2, name: 'by_name' }), again: dense };
        readonly itself = this;
      }
      const names = (layer: tfl.layers.Layer): string[] =>
        layersWithin(layer)
          .map(({ name }) => name)
          .sort();
      expect(names(dense)).to.deep.equal(['dense']);
      expect(names(new Holder({ name: 'holder' }))).to.deep.equal(['by_name', 'dense', 'holder', 'listed']);
      expect(names(tfl.layers.timeDistributed({ layer: dense, name: 'timed' }))).to.deep.equal(['dense', 'timed']);
      expect(
        layersWithin(tfl.layers.lstm({ units: 2, name: 'lstm' })).map((layer) => layer.getClassName()),
      ).to.deep.equal(['LSTM', 'LSTMCell']);
      const nested = tfl.sequential({
        name: 'nested',
        layers: [tfl.layers.dense({ units: 2, inputShape: [3], name: 'first' }), dense],
      });
      expect(names(nested)).to.include.members(['nested', 'first', 'dense']);
    });
  });
});
