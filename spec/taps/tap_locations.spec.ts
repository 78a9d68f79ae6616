import { expect } from 'chai';
import * as tfl from '@tensorflow/tfjs-layers';
import { causalLM } from '../../src/models/causal_lm';
import { findTaps, type TapOptions } from '../../src/taps';
import { forEachBackend } from '../support/backends';

const names = (model: tfl.LayersModel, options?: TapOptions): unknown => {
  const { blocks, norm, head, embedding } = findTaps(model, options);
  return { blocks: blocks.map((block) => block.name), norm: norm?.name, head: head.name, embedding: embedding?.name };
};

function recurrent(): tfl.Sequential {
  return tfl.sequential({ layers: [
    tfl.layers.embedding({ name: 'ids', inputDim: 11, outputDim: 6, inputShape: [5] }),
    tfl.layers.lstm({ name: 'first', units: 6, returnSequences: true, recurrentInitializer: 'glorotUniform' }),
    tfl.layers.lstm({ name: 'second', units: 6, returnSequences: true, recurrentInitializer: 'glorotUniform' }),
    tfl.layers.dense({ name: 'out', units: 11 }),
  ] });
}

describe('findTaps', () => {
  forEachBackend(() => {
    it('finds the parts of causalLM, tied or not', () => {
      const blocks = ['layers_0', 'layers_1', 'layers_2', 'layers_3'];
      expect(names(causalLM({ vocabSize: 7, hiddenSize: 8 }))).to.deep.equal({ blocks, norm: 'norm', head: 'embed_tokens', embedding: 'embed_tokens' });
      expect(names(causalLM({ vocabSize: 7, hiddenSize: 8, tieWordEmbeddings: false }))).to.deep.equal({ blocks, norm: 'norm', head: 'lm_head', embedding: 'embed_tokens' });
    });

    it('takes the recurrent layers of a sequential model as its blocks', () => {
      expect(names(recurrent())).to.deep.equal({ blocks: ['first', 'second'], norm: undefined, head: 'out', embedding: 'ids' });
    });

    it('walks into a nested model', () => {
      const ids = tfl.input({ shape: [5] });
      const nested = tfl.model({ inputs: ids, outputs: recurrent().apply(ids) as tfl.SymbolicTensor });
      expect(names(nested)).to.deep.equal({ blocks: ['first', 'second'], norm: undefined, head: 'out', embedding: 'ids' });
    });

    it('takes names, patterns and predicates from the user', () => {
      const model = causalLM({ vocabSize: 7, hiddenSize: 8 });
      expect(names(model, { blocks: /^layers_[12]$/g, norm: null, head: (layer) => layer.name === 'embed_tokens', embedding: 'embed_tokens' })).to.deep.equal({
        blocks: ['layers_1', 'layers_2'], norm: undefined, head: 'embed_tokens', embedding: 'embed_tokens',
      });
      expect(names(model, { blocks: ['layers_0', 'layers_3'] })).to.have.deep.property('blocks', ['layers_0', 'layers_3']);
    });

    it('lists the layers and the option to set where something is missing', () => {
      const flat = tfl.sequential({ layers: [tfl.layers.dense({ name: 'only', units: 3, inputShape: [2] })] });
      expect(() => findTaps(flat)).to.throw('ilrec: could not find the blocks of this model; set the option taps.blocks. Layers seen: only (Dense)');
      expect(() => findTaps(recurrent(), { norm: 'nowhere' })).to.throw(/taps\.norm = nowhere matches no layer; set the option taps\.norm\. Layers seen: ids \(Embedding\), first \(LSTM\)/);
      expect(() => findTaps(recurrent(), { head: /first|second/ })).to.throw(/taps\.head must name one layer, got 2 of ids/);
    });
  });
});
