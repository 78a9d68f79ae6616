import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { findAdapter } from '../../src/backends/webgpu_device';
import { readLog } from '../../src/runs/run_log';
import { runPaths } from '../../src/runs/run_paths';
import '../support/backends';
import { temporaryFolder } from '../support/folders';
import { skipBecause } from '../support/skip';
import { writeSmallShop } from '../support/small_shop';

describe('a WebGPU device that is lost while it trains', () => {
  const folder = temporaryFolder();

  beforeEach(async function () {
    if ((await findAdapter()) === null) skipBecause(this, 'the package webgpu finds no adapter');
    await writeSmallShop(join(folder.path, 'data'));
  });

  async function train(name: string, ...more: string[]): Promise<string> {
    const program = [
      '--import',
      'tsx',
      'spec/support/webgpu_train_child.ts',
      join(folder.path, 'data'),
      join(folder.path, name),
      ...more,
    ];
    return (await promisify(execFile)(process.execPath, program)).stdout.trim();
  }

  async function losses(name: string): Promise<number[]> {
    return (await readLog(runPaths(join(folder.path, name)).log)).flatMap((line) =>
      line.kind === 'step' ? [line.loss] : [],
    );
  }

  it('ends training with one sentence, and a resumed run has the losses of one that lost nothing, on another device of the process too', async () => {
    const sentence =
      /^IlrecError: webgpu: the device was lost \(destroyed: .*\) with every tensor on it; call useBackend\('webgpu'\) to start another, make the model again and resume training from the last checkpoint$/;
    expect(await train('whole')).to.equal('done');
    expect(await train('lost', '5')).to.match(sentence);
    expect(await train('lost')).to.equal('done');
    const [loss, rest] = (await train('replaced', '5', 'again')).split('\n');
    expect(loss).to.match(sentence);
    expect(rest).to.equal('done');
    const whole = await losses('whole');
    expect(whole).to.have.length.above(5);
    expect(await losses('lost')).to.deep.equal(whole);
    expect(await losses('replaced')).to.deep.equal(whole);
  });
});
