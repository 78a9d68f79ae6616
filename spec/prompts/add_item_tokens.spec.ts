import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { causalLM } from '../../src/models/causal_lm';
import { addItemTokens } from '../../src/prompts/add_item_tokens';
import { initialRows } from '../../src/prompts/initial_rows';
import { lcRecLanguage } from '../../src/prompts/lc_rec_language';
import { disposeModel } from '../../src/models/dispose_model';
import { forEachBackend } from '../support/backends';
import { byteTokenizer } from '../support/byte_tokenizer';

const tokenizer = byteTokenizer();
const language = lcRecLanguage({
  tokenizer,
  semanticIds: [
    ['<a_0>', '<b_0>'],
    ['<a_1>', '<b_0>'],
  ],
  titles: ['Saw', 'Drill'],
});
const D = 12;

function model(vocabSize: number, tieWordEmbeddings: boolean): tfl.LayersModel {
  return causalLM({
    vocabSize,
    hiddenSize: D,
    intermediateSize: 20,
    numHiddenLayers: 1,
    numAttentionHeads: 2,
    tieWordEmbeddings,
    seed: 5,
  });
}

function tableOf(lm: tfl.LayersModel, layer: string): tf.Tensor2D {
  return lm.getLayer(layer).getWeights()[0] as tf.Tensor2D;
}

describe('addItemTokens', () => {
  forEachBackend(() => {
    it('gives embedding and head rows for the new tokens, each from its own table', async () => {
      const old = model(tokenizer.vocabSize, false);
      const expected: number[][] = [];
      for (const layer of ['embed_tokens', 'lm_head'])
        expected.push([...(await initialRows(tableOf(old, layer), language, { seed: 2 })).values]);
      const grown = await addItemTokens(old, language, { seed: 2 });
      ['embed_tokens', 'lm_head'].forEach((layer, i) => {
        const table = tableOf(grown, layer);
        expect(table.shape).to.deep.equal([language.vocabSize, D]);
        expect([...table.dataSync().slice(tokenizer.vocabSize * D)]).to.deep.equal(expected[i]);
      });
      disposeModel(grown);
    });

    it('uses the spare rows of a padded vocabulary', async () => {
      const padded = model(language.vocabSize + 5, true);
      const { values } = await initialRows(tableOf(padded, 'embed_tokens'), language);
      expect(await addItemTokens(padded, language)).to.equal(padded);
      expect([
        ...tableOf(padded, 'embed_tokens')
          .dataSync()
          .slice(tokenizer.vocabSize * D, language.vocabSize * D),
      ]).to.deep.equal([...values]);
      disposeModel(padded);
    });

    it('changes nothing when the tokens are there already', async () => {
      const again = lcRecLanguage({
        tokenizer: language.tokenizer,
        semanticIds: [
          ['<a_0>', '<b_0>'],
          ['<a_1>', '<b_0>'],
        ],
        titles: ['Saw', 'Drill'],
      });
      const grown = await addItemTokens(model(tokenizer.vocabSize, true), language);
      const before = [...tableOf(grown, 'embed_tokens').dataSync()];
      expect(await addItemTokens(grown, again)).to.equal(grown);
      expect([...tableOf(grown, 'embed_tokens').dataSync()]).to.deep.equal(before);
      disposeModel(grown);
    });

    it('leaves no tensor behind', async () => {
      const before = tf.memory().numTensors;
      disposeModel(await addItemTokens(model(tokenizer.vocabSize, true), language));
      expect(tf.memory().numTensors).to.equal(before);
    });
  });
});
