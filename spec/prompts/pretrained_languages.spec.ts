import { expect } from 'chai';
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { constrainedBeamSearch } from '../../src/generation/constrained_beam_search';
import { buildPrefixTrie } from '../../src/generation/prefix_trie';
import { createCausalDecoder } from '../../src/models/causal_lm_decoder';
import { loadPretrained } from '../../src/pretrained/load_pretrained_node';
import { addItemTokens } from '../../src/prompts/add_item_tokens';
import { lcRecLanguage } from '../../src/prompts/lc_rec_language';
import type { PromptTemplatesInput } from '../../src/prompts/templates';
import { titleLanguage } from '../../src/prompts/title_language';
import { disposeModel } from '../../src/models/dispose_model';
import { forEachBackend } from '../support/backends';

const checkpoints = fileURLToPath(new URL('../golden/checkpoints', import.meta.url));
const titles = ['Saw & é', '電動 <|endoftext|> x', 'Saw', 'Bolt 1/2"'];
const semanticIds = [
  ['<a_0>', '<b_0>'],
  ['<a_0>', '<b_1>'],
  ['<a_1>', '<b_0>'],
  ['<a_1>', '<b_1>'],
];

const templatesOf = (history: string): PromptTemplatesInput => ({
  format: '{prompt}\n',
  history: { separator: '\n' },
  tasks: { nextItem: { templates: [`After ${history}`] } },
});

function logitsOf(model: tfl.LayersModel): number[][] {
  return tf.tidy(() =>
    (
      tf.squeeze(model.predict(tf.tensor2d([[3, 7, 9, 20]], [1, 4], 'int32')) as tf.Tensor, [0]) as tf.Tensor2D
    ).arraySync(),
  );
}

describe('the item languages on checkpoints', () => {
  forEachBackend(() => {
    for (const name of readdirSync(checkpoints).filter((each) => existsSync(`${checkpoints}/${each}/tokenizer.json`))) {
      it(`read, write and recommend with ${name}`, async () => {
        const { model, tokenizer } = await loadPretrained(`${checkpoints}/${name}`);
        if (tokenizer === null) throw new Error('no tokenizer');
        const language = lcRecLanguage({ tokenizer, semanticIds, titles, templates: templatesOf('{history:id}') });
        const before = logitsOf(model);
        const grown = await addItemTokens(model, language);
        const added = new Set(language.semanticIdTokens.map(({ id }) => id));
        logitsOf(grown).forEach((row, t) =>
          before[t].forEach((logit, v) => added.has(v) || expect(row[v]).to.be.closeTo(logit, 1e-5)),
        );
        expect(vocabSizeOf(grown)).to.be.at.least(language.vocabSize);

        language.titleTokens.forEach((tokens, item) =>
          expect(language.tokenizer.decode(tokens as Int32Array).trim()).to.equal(titles[item]),
        );
        expect(language.tokenizer.decode(language.prompt([0, 3]), { skipSpecialTokens: true }))
          .to.include('<a_0><b_0>')
          .and.include('<a_1><b_1>');
        for (const each of [
          language,
          titleLanguage({ tokenizer, titles, templates: templatesOf('{history:title}'), maxHistory: 1 }),
        ]) {
          const [{ items }] = await constrainedBeamSearch(
            createCausalDecoder(grown),
            buildPrefixTrie(each.itemTokens),
            [each.prompt([0, 3])],
            { beamWidth: 4 },
          );
          expect([...items].sort()).to.deep.equal([0, 1, 2, 3]);
        }
        disposeModel(grown);
      });
    }
  });
});

/** V of a model's logits. */
function vocabSizeOf(model: tfl.LayersModel): number {
  return (model.outputs[0].shape as number[])[2];
}
