import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect } from 'chai';
import { addLora, setActiveAdapter } from '../../src/lora';
import { causalLM } from '../../src/models/causal_lm';
import { forEachBackend } from '../support/backends';
import { fillB, foreignModel, GatedBlock } from '../support/lora_models';
import { bytes, config, everything, fit, foreignTargets, predict, V } from '../support/lora_task';
import { maxDifference } from '../support/reference';
import { savedArtifacts } from '../support/saved_artifacts';

describe('LoraAdapter', () => {
  forEachBackend(() => {
    it('trains copies of trainModules and leaves the base, tied or not', async () => {
      for (const tieWordEmbeddings of [false, true]) {
        const model = causalLM({ ...config, tieWordEmbeddings });
        const [before, predicted] = [bytes(model), predict(model)];
        const adapter = addLora(model, { targets: 'q_proj', trainModules: ['embed_tokens', 'norm'] });
        expect(adapter.modules.map(({ base }) => base.originalName)).to.deep.equal([
          'embed_tokens/weight',
          'norm/weight',
        ]);
        await fit(model, 3);
        expect(bytes(model)).to.deep.equal(before);
        const trained = predict(model);
        expect(maxDifference(trained, predicted)).to.be.above(0.01);
        expect(maxDifference(adapter.modules[0].copy.read().dataSync(), before[0])).to.be.above(0.01);
        setActiveAdapter(model, null);
        expect(predict(model)).to.deep.equal(predicted);
        setActiveAdapter(model, 'default');
        expect(predict(model)).to.deep.equal(trained);
        adapter.merge();
        expect(maxDifference(predict(model), trained)).to.be.below(2e-5);
        adapter.remove();
        expect(predict(model)).to.deep.equal(predicted);
        model.dispose();
      }
    });

    it('starts copies of trainModules from the base, whatever adapter is active', async () => {
      const model = causalLM(config);
      const base = bytes(model)[0];
      const first = addLora(model, { targets: 'q_proj', trainModules: 'embed_tokens', name: 'first' });
      await fit(model);
      const second = addLora(model, { targets: 'q_proj', trainModules: 'embed_tokens', name: 'second' });
      expect([...second.modules[0].copy.read().dataSync()]).to.deep.equal(base);
      expect(maxDifference(first.modules[0].copy.read().dataSync(), base)).to.be.above(0.01);
      model.dispose();
    });

    it('merges into the base to rounding, and unmerges byte for byte', () => {
      for (const [model, targets] of [
        [causalLM(config), everything.targets],
        [foreignModel(V), foreignTargets],
      ] as const) {
        const before = bytes(model);
        const adapter = addLora(model, { targets, rank: 2 });
        fillB(adapter);
        const adapted = predict(model);
        adapter.merge();
        adapter.merge();
        expect(adapter.merged).to.equal(true);
        expect(maxDifference(predict(model), adapted)).to.be.below(2e-5);
        expect(bytes(model)).not.to.deep.equal(before);
        adapter.unmerge();
        expect(bytes(model)).to.deep.equal(before);
        expect(predict(model)).to.deep.equal(adapted);
        adapter.merge();
        adapter.remove();
        expect(bytes(model)).to.deep.equal(before);
        model.dispose();
      }
    });

    it('is saved as a plain model while it is merged', async () => {
      const model = foreignModel(V);
      const adapter = addLora(model, { targets: foreignTargets, trainModules: 'table', rank: 2 });
      fillB(adapter);
      const adapted = predict(model);
      adapter.merge();
      const saved = await savedArtifacts(model);
      tf.serialization.registerClass(GatedBlock);
      const reloaded = await tfl.loadLayersModel(tf.io.fromMemory(saved));
      expect(maxDifference(predict(reloaded), adapted)).to.be.below(2e-5);
      for (const either of [model, reloaded]) either.dispose();
    });

    it('switches between several adapters on one base, and trains the active one', async () => {
      const model = causalLM(config);
      const base = predict(model);
      const [first, second] = [
        addLora(model, { targets: 'q_proj', name: 'first' }),
        addLora(model, { targets: /_proj$/, rank: 2, name: 'second' }),
      ];
      fillB(first);
      fillB(second, 100);
      expect([first.active, second.active]).to.deep.equal([false, true]);
      const withSecond = predict(model);
      setActiveAdapter(model, 'first');
      const withFirst = predict(model);
      expect(
        [first, second].map(({ parameters }) => parameters.filter(({ trainable }) => trainable).length),
      ).to.deep.equal([first.parameters.length, 0]);
      expect(maxDifference(withFirst, withSecond)).to.be.above(0.01);
      const before = second.parameters.map((parameter) => [...parameter.read().dataSync()]);
      await fit(model);
      expect(second.parameters.map((parameter) => [...parameter.read().dataSync()])).to.deep.equal(before);
      expect(maxDifference(predict(model), withFirst)).to.be.above(0.001);
      first.remove();
      expect(predict(model)).to.deep.equal(base);
      setActiveAdapter(model, 'second');
      expect(predict(model)).to.deep.equal(withSecond);
      model.dispose();
    });
  });
});
