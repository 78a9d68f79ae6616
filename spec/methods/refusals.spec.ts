import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import type { TrainConfigInput } from '../../src/methods/train_config';
import { trainRun, type TrainRunResult } from '../../src/runs/train_run';
import '../support/backends';
import { messageOf, temporaryFolder } from '../support/folders';
import { smallConfig, writeSmallShop } from '../support/small_shop';

const GPT2 = 'spec/golden/checkpoints/gpt2'; // 37 positions

describe('refuseLongPrompts', () => {
  const folder = temporaryFolder();
  let data = '';
  before(async () => await tf.setBackend('wasm'));
  beforeEach(async () => {
    data = join(folder.path, 'data');
    await writeSmallShop(data);
  });

  it('refuses prompts that a table of positions may not hold, before anything is trained, and says what fits', async () => {
    const [out, prompts] = [join(folder.path, 'run'), join(folder.path, 'prompts.json')];
    await writeFile(
      prompts,
      JSON.stringify({ history: { separator: ' ' }, tasks: { nextItem: { templates: ['{history:title}'] } } }),
    );
    const train = async (maxPromptTokens: number | null): Promise<TrainRunResult> => {
      const items: TrainConfigInput['items'] = { style: 'bigrec', prompts, maxTitleTokens: 2, maxPromptTokens };
      return await trainRun({
        data,
        out,
        method: 'ilrec',
        config: smallConfig({ items, backbone: { pretrained: GPT2 }, training: { epochs: 1, validationUsers: 5 } }),
      });
    };
    const tensorsBefore = tf.memory().numTensors;
    const rest = "of up to 3 tokens must fit into the checkpoint's 37 positions, got items.maxPromptTokens";
    expect(await messageOf(train(null))).to.equal(
      `trainRun: a prompt and its answer ${rest} null; set it to 35 or less`,
    ); // two tokens and the end, which is not read
    expect(await messageOf(train(36))).to.equal(`trainRun: a prompt and its answer ${rest} 36; set it to 35 or less`);
    expect(existsSync(out)).to.equal(false);
    expect(tf.memory().numTensors).to.equal(tensorsBefore);
    expect((await train(35)).manifest.status).to.equal('done');
  });
});
