import { expect } from 'chai';
import * as tfl from '@tensorflow/tfjs-layers';
import { ilrec } from '../../src/ilrec/ilrec';
import { causalLM } from '../../src/models/causal_lm';
import { sft } from '../../src/tapped/sft';
import { findTaps, type TapOptions } from '../../src/taps';
import { forEachBackend } from '../support/backends';
import { through } from '../support/foreign_layers';
import { attention, chain, dense, embedding, FOREIGN_MODELS, functional, norm } from '../support/foreign_models';

const names = (model: tfl.LayersModel, options?: TapOptions): unknown => {
  const { blocks, norm, head, embedding } = findTaps(model, options);
  return { blocks: blocks.map((block) => block.name), norm: norm?.name, head: head.name, embedding: embedding?.name };
};

function recurrent(): tfl.Sequential {
  return tfl.sequential({
    layers: [
      tfl.layers.embedding({ name: 'ids', inputDim: 11, outputDim: 6, inputShape: [5] }),
      tfl.layers.lstm({ name: 'first', units: 6, returnSequences: true, recurrentInitializer: 'glorotUniform' }),
      tfl.layers.lstm({ name: 'second', units: 6, returnSequences: true, recurrentInitializer: 'glorotUniform' }),
      tfl.layers.dense({ name: 'out', units: 11 }),
    ],
  });
}

describe('findTaps', () => {
  forEachBackend(() => {
    it('finds the parts of causalLM, tied or not', () => {
      const blocks = ['layers_0', 'layers_1', 'layers_2', 'layers_3'];
      expect(names(causalLM({ vocabSize: 7, hiddenSize: 8 }))).to.deep.equal({
        blocks,
        norm: 'norm',
        head: 'embed_tokens',
        embedding: 'embed_tokens',
      });
      expect(names(causalLM({ vocabSize: 7, hiddenSize: 8, tieWordEmbeddings: false }))).to.deep.equal({
        blocks,
        norm: 'norm',
        head: 'lm_head',
        embedding: 'embed_tokens',
      });
    });

    it('is what describe of a method tells, before training', () => {
      const model = causalLM({ vocabSize: 7, hiddenSize: 8 });
      const blocks = ['layers_0', 'layers_1', 'layers_2', 'layers_3'];
      const parts = { blocks, norm: 'norm', head: 'embed_tokens', embedding: 'embed_tokens' };
      const calls = (): boolean => model.layers.some((layer) => Object.hasOwn(layer, 'call'));
      expect(ilrec({ numNegativeLayers: 2 }).describe(model)).to.deep.equal({
        ...parts,
        tappedBlocks: ['layers_1', 'layers_2'],
      });
      expect(ilrec().describe(model).tappedBlocks).to.deep.equal(blocks.slice(0, 3));
      expect(sft().describe(model)).to.deep.equal({ ...parts, tappedBlocks: [] });
      expect(calls()).to.equal(false);
      const method = ilrec({ taps: { blocks: ['layers_0', 'layers_3'] } });
      method.attach(model);
      expect(method.describe(model)).to.deep.equal({
        ...parts,
        blocks: ['layers_0', 'layers_3'],
        tappedBlocks: ['layers_0'],
      });
      method.detach();
      const one = tfl.sequential({
        layers: [...recurrent().layers.slice(0, 1), tfl.layers.dense({ name: 'out', units: 11 })],
      });
      expect(sft().describe(one)).to.deep.equal({
        ...{ blocks: [], tappedBlocks: [], norm: null },
        ...{ head: 'out', embedding: 'ids' },
      });
      expect(() => ilrec().describe(one)).to.throw(/^ilrec: could not find the blocks of this model/);
      expect(() => ilrec().describe({} as tfl.LayersModel)).to.throw(/^ilrec: the model must be a tf\.LayersModel/);
    });

    it('takes the recurrent layers of a sequential model as its blocks', () => {
      expect(names(recurrent())).to.deep.equal({
        blocks: ['first', 'second'],
        norm: undefined,
        head: 'out',
        embedding: 'ids',
      });
    });

    it('walks into a nested model', () => {
      const ids = tfl.input({ shape: [5] });
      const nested = tfl.model({ inputs: ids, outputs: recurrent().apply(ids) as tfl.SymbolicTensor });
      expect(names(nested)).to.deep.equal({
        blocks: ['first', 'second'],
        norm: undefined,
        head: 'out',
        embedding: 'ids',
      });
    });

    it('takes names, patterns and predicates from the user', () => {
      const model = causalLM({ vocabSize: 7, hiddenSize: 8 });
      expect(
        names(model, {
          blocks: /^layers_[12]$/g,
          norm: null,
          head: (layer) => layer.name === 'embed_tokens',
          embedding: 'embed_tokens',
        }),
      ).to.deep.equal({
        blocks: ['layers_1', 'layers_2'],
        norm: undefined,
        head: 'embed_tokens',
        embedding: 'embed_tokens',
      });
      expect(names(model, { blocks: ['layers_0', 'layers_3'] })).to.have.deep.property('blocks', [
        'layers_0',
        'layers_3',
      ]);
    });

    for (const { name, build, blocks, behind } of FOREIGN_MODELS) {
      it(`finds blocks and what is behind them in ${name}`, () => {
        const found = findTaps(build());
        expect(found.blocks.map((block) => block.name)).to.deep.equal(blocks);
        // does nothing to an early exit
        const isDropout = (layer: tfl.layers.Layer): boolean => layer.getClassName() === 'Dropout';
        expect(
          [...found.toHead.parts, ...found.toLogits.parts]
            .map(({ layer }) => layer)
            .filter((layer) => !isDropout(layer))
            .map((layer) => layer.name),
        ).to.deep.equal(behind);
        expect(found.head.name).to.equal('out');
      });
    }

    it('finds the same in the models after saving and loading', async () => {
      for (const { name, build, blocks } of FOREIGN_MODELS) {
        if (/tied/.test(name)) continue; // its head holds another layer, which a user's own class has to restore
        const topology: unknown = build().toJSON(undefined, false);
        const loaded = await tfl.loadLayersModel({ load: async () => ({ modelTopology: topology as object }) });
        expect(
          findTaps(loaded).blocks.map((block) => block.name),
          name,
        ).to.deep.equal(blocks);
      }
    });

    it('tells a final norm from norms before the blocks by its name, or takes it for one', () => {
      const model = (names: readonly string[]): tfl.LayersModel =>
        functional((x) =>
          chain(x, norm(names[0]), attention('a'), norm(names[1]), attention('b'), norm(names[2]), dense()),
        );
      expect(names(model(['n0', 'n1', 'final']))).to.have.property('norm', 'final');
      expect(names(model(['n0', 'n1', 'n2']))).to.have.property('norm', 'n2');
      expect(names(model(['embedded', 'n1', 'n2']))).to.have.deep.property('blocks', ['n1', 'n2']);
    });

    it('takes a nested model that a pattern names for a block, and not its layers', () => {
      const block = (name: string): tfl.LayersModel => {
        const x = tfl.input({ shape: [null, 8] });
        return tfl.model({ name, inputs: x, outputs: chain(x, attention(`${name}_attention`), norm(`${name}_norm`)) });
      };
      const model = functional((x) =>
        chain(x, block('block_0'), block('block_1'), attention('between'), block('block_2'), dense()),
      );
      expect(names(model, { blocks: /^block_/ })).to.have.deep.property('blocks', ['block_0', 'block_1', 'block_2']);
      expect(names(model, { blocks: /_attention$/, norm: 'block_2_norm' })).to.deep.equal({
        blocks: ['block_0_attention', 'block_1_attention', 'block_2_attention'],
        norm: 'block_2_norm',
        head: 'out',
        embedding: 'tokens',
      });
    });

    it('takes what stands behind the last layer that mixes positions for the exit of named blocks', () => {
      const model = functional((x) =>
        chain(x, attention('a'), attention('b'), attention('c'), norm('final'), dense('narrow', 8, 'tanh'), dense()),
      );
      const exit = (options: TapOptions): string[] =>
        findTaps(model, options).toHead.parts.map(({ layer }) => layer.name);
      expect(exit({ blocks: ['a', 'b'] })).to.deep.equal(['final', 'narrow']);
      expect(exit({ blocks: ['a', 'b'], norm: 'narrow' })).to.deep.equal(['narrow']);
      expect(exit({ blocks: ['a', 'b'], norm: null })).to.deep.equal([]);
      expect(exit({ norm: 'final' })).to.deep.equal(['final', 'narrow']);
    });

    it('finds the token embedding among several, and takes the one that is named', () => {
      const [ids, segments] = [
        tfl.input({ shape: [null], dtype: 'int32' }),
        tfl.input({ shape: [null], dtype: 'int32' }),
      ];
      const kinds = tfl.layers.embedding({ name: 'segments', inputDim: 3, outputDim: 8 });
      const x = tfl.layers.add().apply([through(kinds, segments), through(embedding(), ids)]) as tfl.SymbolicTensor;
      const model = tfl.model({ inputs: [segments, ids], outputs: chain(x, attention('a'), attention('b'), dense()) });
      expect(names(model)).to.have.property('embedding', 'tokens');
      expect(names(model, { embedding: 'segments' })).to.have.property('embedding', 'segments');
    });

    it('lists the layers and the option to set where something is missing', () => {
      const flat = tfl.sequential({ layers: [tfl.layers.dense({ name: 'only', units: 3, inputShape: [2] })] });
      expect(() => findTaps(flat)).to.throw(
        'could not find the blocks of this model; set the option taps.blocks. Layers seen: only (Dense)',
      );
      expect(() => findTaps(recurrent(), { norm: 'nowhere' })).to.throw(
        /taps\.norm = nowhere matches no layer; set the option taps\.norm\. Layers seen: ids \(Embedding\), first \(LSTM\)/,
      );
      expect(() => findTaps(recurrent(), { head: /first|second/ })).to.throw(
        /taps\.head must name one layer, got 2 of ids/,
      );
    });
  });
});
