import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import type { EvaluationProtocol } from '../../src/evaluation/protocol';
import type { MethodName } from '../../src/methods/registry';
import type { TrainConfigInput } from '../../src/methods/train_config';
import { evaluateRun } from '../../src/runs/evaluate_run';
import { recommend } from '../../src/runs/recommend_run';
import { trainRun } from '../../src/runs/train_run';
import '../support/backends';
import { ilrecCommand } from '../support/command_line';
import { temporaryFolder } from '../support/folders';
import { smallConfig, writeSmallShop } from '../support/small_shop';

describe('lists of a run', () => {
  const folder = temporaryFolder();
  let data = '';
  before(async () => await tf.setBackend('wasm'));
  beforeEach(async () => {
    data = join(folder.path, 'data');
    await writeSmallShop(data); // 40 items, 30 users
  });

  async function run(method: MethodName, changes: TrainConfigInput = {}): Promise<string> {
    const training = { epochs: 1, validationUsers: 0, ...changes.training };
    const config = smallConfig({ items: { style: 'ids' }, ...changes, training });
    return (await trainRun({ data, out: join(folder.path, method), method, config })).run;
  }

  it('hold ten items for HR@10 however narrow the beam: the case beam-below-k', async () => {
    const out = await run('sft');
    const { ranks, itemCounts, protocol } = await evaluateRun({ run: out, beamWidth: 10 });
    expect(itemCounts.reduce((sum, count) => sum + count, 0)).to.equal(30 * 10);
    expect(protocol).to.not.have.any.keys('askedBeamWidth', 'shortLists');
    for (const beamWidth of [1, 3, 9]) {
      const narrow = await evaluateRun({ run: out, beamWidth });
      expect(narrow.ranks).to.deep.equal(ranks);
      expect(narrow.protocol).to.include({ beamWidth: 10, askedBeamWidth: beamWidth });
    }
    const words = ['evaluate', '--run', out, '--beam-width', '1', '--backend', 'wasm'];
    const { stdout, stderr } = await ilrecCommand(...words);
    expect(stderr).to.include(
      'A beam width of 1 is widened to 10: narrower beams may leave fewer items than the cutoffs count.\n',
    );
    expect(stdout).to.include('beam width 10 (1 asked for, widened so that the lists hold enough items)');
    const { protocol: printed } = JSON.parse((await ilrecCommand(...words, '--json')).stdout) as {
      protocol: EvaluationProtocol;
    };
    expect(printed).to.include({ beamWidth: 10, askedBeamWidth: 1 });
  });

  it('are as long with another model beside, and validation follows the same rule', async () => {
    for (const kind of ['d3', 'scores'] as const) {
      const fusion = { method: 'markov', kind, weight: 0 };
      const training = { epochs: 1, validationUsers: 30 };
      const config = smallConfig({ items: { style: 'ids' }, training, evaluation: { beamWidth: 1, fusion } });
      const { run: out, manifest } = await trainRun({ data, out: join(folder.path, kind), method: 'sft', config });
      const { itemCounts, protocol } = await evaluateRun({ run: out });
      expect(
        itemCounts.reduce((sum, count) => sum + count, 0),
        kind,
      ).to.equal(30 * 10);
      expect(protocol).to.include({ beamWidth: 10, askedBeamWidth: 1 });
      expect(manifest.validation?.users).to.equal(30);
    }
  });

  it('hold the whole catalogue where it is asked for', async () => {
    for (const [method, style] of [
      ['sft', 'ids'],
      ['ilrec', 'items'],
      ['markov', 'ids'],
    ] as const) {
      const out = await run(method, { items: { style }, evaluation: { beamWidth: 1 } });
      for (const k of [25, 40]) {
        const items = await recommend({ run: out, history: [], k });
        expect(new Set(items.map(({ id }) => id)).size, method).to.equal(k);
      }
    }
  });
});
