import { expect } from 'chai';
import type { StepRecord, TrainingState } from '../../src/training/train_model';
import { readManifest, writeManifest } from '../../src/runs/manifest';
import { PeakMemory } from '../../src/runs/peak_memory';
import { RunClock } from '../../src/runs/run_clock';
import { madeMethod } from '../support/comparison';
import { temporaryFolder } from '../support/folders';

describe('RunClock', () => {
  const folder = temporaryFolder();
  const { now } = performance;
  let seconds = 0;
  beforeEach(() => {
    seconds = 5000;
    performance.now = () => 1000 * seconds;
  });
  afterEach(() => (performance.now = now));
  const { manifest } = madeMethod('ilrec').runs[0];

  it('sums the seconds of all calls, and counts those of a need by its own manifest', async () => {
    const run = { ...manifest, seconds: 100, needSeconds: 40 }; // an earlier call, in which the need was half trained
    const clock = new RunClock(folder.path, run);
    seconds += 3;
    await clock.waitFor(async () => {
      seconds += 20;
      return { manifest: { ...manifest, seconds: 61 } }; // 40 and 20, and one that a killed call lost
    });
    seconds += 4;
    clock.update();
    expect(run).to.include({ seconds: 60 + 3 + 61 + 4, needSeconds: 61 });
    seconds += 1;
    clock.update();
    expect(run.seconds).to.equal(129);
  });

  it('writes the manifest while the run trains, so that a killed call counts', async () => {
    const run = { ...manifest, seconds: 0, status: 'running' as const };
    await writeManifest(folder.path, run);
    const clock = new RunClock(folder.path, run);
    const step = (): void | Promise<void> => clock.callback.onStep?.({} as StepRecord, {} as TrainingState);
    seconds += 1;
    await step();
    expect((await readManifest(folder.path)).seconds).to.equal(0);
    seconds += 2;
    await step();
    expect(await readManifest(folder.path)).to.deep.include({ seconds: 3, status: 'running' });
  });
});

describe('PeakMemory', () => {
  it('sees what is allocated', () => {
    const memory = new PeakMemory();
    const before = memory.bytes;
    const held = Buffer.alloc(256 * 2 ** 20, 1); // written, so that it is resident
    memory.sample();
    expect(memory.bytes - before).to.be.at.least(0.5 * held.length);
  });
});
