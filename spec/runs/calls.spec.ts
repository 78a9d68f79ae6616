import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { makeFolder } from '../../src/files/make_folder_node';
import { compareMethods } from '../../src/runs/compare';
import { evaluateRun } from '../../src/runs/evaluate_run';
import { runDemo } from '../../src/runs/run_demo';
import { studyMethods } from '../../src/runs/study';
import { trainRun, type TrainRunOptions } from '../../src/runs/train_run';
import '../support/backends';
import { messageOf, temporaryFolder } from '../support/folders';
import { skipBecause } from '../support/skip';
import { writeSmallShop } from '../support/small_shop';

describe('functions of runs', () => {
  const folder = temporaryFolder();
  let data = '';
  before(async () => await tf.setBackend('wasm'));
  beforeEach(async () => {
    data = join(folder.path, 'data');
    await writeSmallShop(data);
  });
  const at = (name: string): string => join(folder.path, name);

  it('take a part of a config, as a file holds it: the case trainrun-plain-config', async () => {
    const config = { training: { epochs: 1 }, model: { hiddenSize: 8 } };
    const { manifest } = await trainRun({ data, out: at('run'), method: 'sft', config });
    expect([manifest.status, manifest.steps]).to.deep.equal(['done', manifest.stepsPerEpoch]);
    const kept = JSON.parse(await readFile(join(at('run'), 'config.json'), 'utf8')) as { training: object };
    expect(kept.training).to.deep.include({ epochs: 1, learningRate: 0.002 }); // the default of item tokens
  });

  it('refuse options that they do not have, and say which may be meant', async () => {
    const options = { data, out: at('run'), method: 'markov' } as const;
    const misspelt = { ...options, epoch: 3 } as TrainRunOptions;
    expect(await messageOf(trainRun(misspelt))).to.match(
      /^trainRun: options must be among data, out, method, config, .*, got epoch; did you mean epochs\?$/,
    );
    expect(await messageOf(trainRun({ ...options, hiddenSize: 8 } as TrainRunOptions))).to.match(
      /, got hiddenSize; settings of the training belong into config$/,
    );
    expect(await messageOf(compareMethods({ data, out: at('c'), methods: ['markov'], seed: 1 } as never))).to.match(
      /^compareMethods: options must be among .*, got seed; did you mean seeds\?$/,
    );
    expect(await messageOf(evaluateRun({ run: at('run'), beamwidth: 3 } as never))).to.match(
      /^evaluateRun: .*, got beamwidth; did you mean beamWidth\?$/,
    );
    expect(existsSync(at('run'))).to.equal(false);
  });

  it('name the key of the config that names a run', async () => {
    const language = { training: { epochs: 1, validationUsers: 0 }, model: { hiddenSize: 8 } };
    const reward = { ...language, methods: { ilrec: { rewardRun: at('nowhere') } } };
    expect(await messageOf(trainRun({ data, out: at('run'), method: 'ilrec', config: reward }))).to.match(
      /^trainRun: rewardRun must name a finished run, got .*nowhere: .*nowhere must be a run folder, got no manifest/,
    );
    await trainRun({ data, out: at('sft'), method: 'sft', config: language });
    const wider = { model: { hiddenSize: 12 }, training: { ...language.training, initialWeights: at('sft') } };
    expect(await messageOf(trainRun({ data, out: at('run'), method: 'sft', config: wider }))).to.match(
      /^trainRun: training\.initialWeights must name a finished run, got .*sft: .*\[/,
    );
    expect(existsSync(at('run'))).to.equal(false);
  });

  it('say that a backend is missing, in one sentence', () => {
    const program =
      `const { trainRun } = await import('./src/runs/train_run.ts');` +
      `await trainRun({ data: 'x', out: 'y', method: 'sft' }).catch((e) => console.log(e.name + ': ' + e.message));`;
    const { stdout } = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
      encoding: 'utf8',
    });
    expect(stdout).to.equal(
      "IlrecError: trainRun: TensorFlow.js must have a backend, got none; call `await useBackend('auto')` of " +
        'tfjs-ilrec/node first\n',
    );
  });

  it('refuse a folder that cannot be made with a sentence, also one of a file system that never has it', async function () {
    if (!existsSync('/proc/self')) skipBecause(this, 'no /proc');
    const study = { arms: [{ name: 'a', method: 'markov' }] };
    for (const out of ['/proc/x', '/proc/self/x/y', join(data, 'items.jsonl', 'x')])
      for (const call of [
        () => trainRun({ data, out, method: 'markov' }),
        () => compareMethods({ data, out, methods: ['markov'] }),
        () => studyMethods({ data, out, study }),
        () => runDemo({ out, quick: true }),
      ])
        expect(await messageOf(call())).to.match(
          /^(trainRun|writePrepared): .* (ENOENT|ENOTDIR|EACCES).*choose another/,
        );
    for (const out of ['', 'a\0b']) {
      const told = `out must be the path of a folder, got ${JSON.stringify(out)}; name one`;
      expect(await messageOf(trainRun({ data, out, method: 'markov' }))).to.equal(`trainRun: ${told}`);
      expect(await messageOf(compareMethods({ data, out, methods: ['markov'] }))).to.equal(`compareMethods: ${told}`);
      expect(await messageOf(studyMethods({ data, out, study }))).to.equal(`studyMethods: ${told}`);
      expect(await messageOf(runDemo({ out }))).to.equal(`runDemo: ${told}`);
    }
  });

  it('make a folder and those above it, and leave one that is there as it is', async () => {
    await makeFolder(at('a/b/c'));
    await Promise.all([makeFolder(at('d/e')), makeFolder(at('d/e'))]);
    await writeFile(at('a/b/file'), '');
    await makeFolder(at('a/b'));
    expect((await readdir(at('a/b'))).sort()).to.deep.equal(['c', 'file']);
    expect(await messageOf(makeFolder(at('a/b/file')))).to.match(/EEXIST/);
  });

  it('of the demo write into no folder that somebody else has filled', async () => {
    const refusal = (what: string): string =>
      `runDemo: out must be a new or empty folder, or that of an earlier demo, got ${at('mine')}, which holds ${what}; ` +
      'choose another folder';
    const mine = at('mine');
    await mkdir(mine);
    await writeFile(join(mine, 'notes.txt'), 'precious');
    expect(await messageOf(runDemo({ out: mine, quick: true }))).to.equal(refusal('notes.txt'));
    expect(await messageOf(runDemo({ out: join(mine, 'notes.txt'), quick: true }))).to.equal(
      `runDemo: out must be a folder, got the file ${join(mine, 'notes.txt')}; choose another name`,
    );
    expect(await readdir(mine)).to.deep.equal(['notes.txt']);
    expect(await messageOf(runDemo({ out: folder.path, quick: true }))).to.match(/, which holds mine; choose another/);
    await trainRun({ data, out: at('other/runs/markov'), method: 'markov' });
    expect(await messageOf(runDemo({ out: at('other'), quick: true }))).to.match(
      /, which holds a run of other data, .*markov; choose another folder$/,
    );
    expect(existsSync(at('other/runs/markov/manifest.json'))).to.equal(true);
  });
});
