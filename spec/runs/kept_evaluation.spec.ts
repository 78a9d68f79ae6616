import { readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { compareMethods, type CompareOptions } from '../../src/runs/compare';
import { evaluateRun, type EvaluateRunOptions } from '../../src/runs/evaluate_run';
import { readEvaluation } from '../../src/runs/kept_evaluation';
import { readManifest, writeManifest } from '../../src/runs/manifest';
import { trainRun } from '../../src/runs/train_run';
import '../support/backends';
import { ilrecCommand } from '../support/command_line';
import { temporaryFolder } from '../support/folders';
import { smallConfig, writeSmallShop } from '../support/small_shop';

describe('a kept evaluation', () => {
  const folder = temporaryFolder();
  let data = '';
  before(async () => await tf.setBackend('wasm'));
  beforeEach(async () => {
    data = join(folder.path, 'data');
    await writeSmallShop(data); // 40 items, 30 users
  });

  async function markov(): Promise<string> {
    return (await trainRun({ data, out: join(folder.path, 'markov'), method: 'markov' })).run;
  }

  const evaluationsOf = async (run: string): Promise<string[]> =>
    (await readdir(run)).filter((name) => name.startsWith('evaluation-')).sort();

  it('is compared only where it is of the same users: the case compare-other-sample', async () => {
    const out = join(folder.path, 'compared');
    const words = ['--users', '20', '--backend', 'wasm', '--json'];
    const compare = async (): Promise<{ pairs: object[]; protocols: Record<string, { userSeed: number }> }> =>
      JSON.parse(
        (await ilrecCommand('compare', '--data', data, '--methods', 'popularity,markov', '--out', out, ...words))
          .stdout,
      );
    const first = await compare();
    await ilrecCommand('evaluate', '--run', join(out, 'markov'), '--seed', '5', ...words);
    const second = await compare();
    expect(second.pairs).to.deep.equal(first.pairs);
    expect(Object.values(second.protocols).map(({ userSeed }) => userSeed)).to.deep.equal([0, 0]);
  });

  it('has a name that says what it holds, so that no evaluation overwrites another one', async () => {
    const run = await markov();
    const whole = await evaluateRun({ run });
    const text = await readFile(join(run, 'evaluation-test.json'), 'utf8');
    const others: Omit<EvaluateRunOptions, 'run'>[] = [
      { users: 20 },
      { users: 20, seed: 5 },
      { seed: 5 },
      { users: 20, seen: 'allow' },
      { split: 'valid' },
      { beamWidth: 40 }, // Markov has no beams
      { users: 30 }, // all
    ];
    for (const other of others) await evaluateRun({ run, ...other });
    expect(await evaluationsOf(run)).to.deep.equal([
      'evaluation-test-20-users-seed-5.json',
      'evaluation-test-20-users.json',
      'evaluation-test-seed-5.json',
      'evaluation-test-with-seen-20-users.json',
      'evaluation-test.json',
      'evaluation-valid.json',
    ]);
    const numbers = ({ seconds: _, ...file }: Record<string, unknown>): object => file;
    expect(numbers(JSON.parse(await readFile(join(run, 'evaluation-test.json'), 'utf8')))).to.deep.equal(
      numbers(JSON.parse(text)),
    );
    const kept = await readEvaluation(run, { split: 'test', seen: 'exclude' });
    expect(kept?.result).to.deep.equal(whole);
    for (const { users, seed } of others.slice(0, 2))
      expect((await readEvaluation(run, { split: 'test', seen: 'exclude', users, seed }))?.result.protocol).to.include({
        users,
        userSeed: seed ?? 0,
      });
    expect(await readEvaluation(run, { split: 'test', seen: 'exclude', users: 20, seed: 6 })).to.equal(null);
    expect(await readEvaluation(run, { split: 'valid', seen: 'exclude', users: 20 })).to.equal(null);
  });

  it('of an older release is found under the one name that there was, where it holds what is asked', async () => {
    const run = await markov();
    const { ranks } = await evaluateRun({ run, users: 20, seed: 5 });
    const older = join(run, 'evaluation-test.json');
    await rename(join(run, 'evaluation-test-20-users-seed-5.json'), older);
    const { checksum: _, steps: __, bestStep: ___, rows: ____, ...file } = JSON.parse(await readFile(older, 'utf8'));
    await writeFile(older, JSON.stringify(file));
    const asked = { split: 'test', seen: 'exclude', users: 20 } as const;
    expect((await readEvaluation(run, { ...asked, seed: 5 }))?.result).to.deep.include({ ranks, rows: 20 });
    expect(await readEvaluation(run, asked)).to.equal(null); // of other users
    expect(await readEvaluation(run, { split: 'test', seen: 'exclude' })).to.equal(null);
  });

  it('is not that of another beam width, other weights or other data', async () => {
    const config = smallConfig({ items: { style: 'ids' }, training: { epochs: 1, validationUsers: 0 } });
    const { run, manifest } = await trainRun({ data, out: join(folder.path, 'sft'), method: 'sft', config });
    const asked = { split: 'test', seen: 'exclude' } as const;
    await evaluateRun({ run, beamWidth: 40 });
    expect(await evaluationsOf(run)).to.deep.equal(['evaluation-test-beam-40.json']);
    expect(await readEvaluation(run, asked)).to.equal(null);
    expect((await readEvaluation(run, { ...asked, beamWidth: 40 }))?.result.protocol.beamWidth).to.equal(40);
    await evaluateRun({ run });
    expect(await readEvaluation(run, asked)).to.not.equal(null);
    await writeManifest(run, { ...manifest, steps: manifest.steps + 7 });
    expect(await readEvaluation(run, asked), 'trained for longer').to.equal(null);
    await writeManifest(run, { ...manifest, data: { ...manifest.data, checksum: 'other' } });
    expect(await readEvaluation(run, asked), 'other data').to.equal(null);
  });

  it('is used again by a comparison that asks the same, for a sample too', async () => {
    const out = join(folder.path, 'compared');
    const options: CompareOptions = { data, out, methods: ['popularity', 'markov'] };
    await compareMethods(options);
    await compareMethods({ ...options, users: 9 });
    const run = join(out, 'markov');
    expect(await evaluationsOf(run)).to.deep.equal(['evaluation-test-9-users.json', 'evaluation-test.json']);
    const times = async (): Promise<number[]> =>
      await Promise.all((await evaluationsOf(run)).map(async (name) => (await stat(join(run, name))).mtimeMs));
    const before = await times();
    await compareMethods(options);
    const { users, rows } = await compareMethods({ ...options, users: 9 });
    expect([users, rows]).to.deep.equal([9, 9]);
    expect(await times()).to.deep.equal(before);
    expect((await readManifest(run)).prolonged).to.equal(undefined);
  });
});
