import { spawnSync } from 'node:child_process';
import { readdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { CheckpointStore } from '../../src/checkpoints/checkpoint_store_node';
import type { TensorData } from '../../src/safetensors/safetensors';
import type { TrainingSnapshot } from '../../src/checkpoints/training_snapshot';
import { messageOf, temporaryFolder } from '../support/folders';

describe('CheckpointStore', () => {
  const folder = temporaryFolder();

  it('has nothing to load at first', async () => {
    expect(await new CheckpointStore(folder.path).loadLatest()).to.equal(null);
  });

  it('keeps the two newest checkpoints and loads the newest', async () => {
    const store = new CheckpointStore(folder.path);
    for (const step of [3, 9, 12, 100]) await store.save(snapshot(step));
    expect((await readdir(folder.path)).sort()).to.deep.equal([
      'step-000000012.safetensors',
      'step-000000100.safetensors',
    ]);
    const loaded = await store.loadLatest();
    expect(loaded?.step).to.equal(100);
    expect(loaded?.callbacks).to.deep.equal({ earlyStopping: { best: 100 } });
    expect(loaded?.file.tensors.get('model.0')?.data).to.deep.equal(Float32Array.of(100));
  });

  it('drops the later checkpoints and best weights of a run that was started again', async () => {
    const store = new CheckpointStore(folder.path);
    await store.saveBest(490, [weight(490)]);
    for (const step of [480, 500, 10, 20, 30]) await store.save(snapshot(step));
    expect((await readdir(folder.path)).sort()).to.deep.equal([
      'step-000000020.safetensors',
      'step-000000030.safetensors',
    ]);
    expect((await store.loadLatest())?.step).to.equal(30);
  });

  it('falls back to the one before where the newest is damaged, and passes over what was never renamed', async () => {
    const store = new CheckpointStore(folder.path);
    await store.save(snapshot(1));
    await store.save(snapshot(2));
    await truncate(join(folder.path, 'step-000000002.safetensors'), 50);
    await writeFile(join(folder.path, 'step-000000003.safetensors.partial-1'), 'half');
    expect((await store.loadLatest())?.step).to.equal(1);
  });

  it('removes what killed processes have left half written, and leaves alone what a living one is writing', async () => {
    const store = new CheckpointStore(folder.path);
    const living = process.ppid;
    const { pid: dead } = spawnSync(process.execPath, ['--version']);
    const ids = [dead, living, process.pid]; // an earlier process may have had our id
    for (const id of ids) await writeFile(join(folder.path, `step-000000003.safetensors.partial-${id}`), 'half');
    await writeFile(join(folder.path, `best-000000002.safetensors.partial-${dead}`), 'half');
    await Promise.all([store.save(snapshot(4)), store.saveBest(4, [weight(4)])]); // neither takes the other's
    await store.save(snapshot(5));
    expect((await readdir(folder.path)).sort()).to.deep.equal([
      'best-000000004.safetensors',
      `step-000000003.safetensors.partial-${living}`,
      'step-000000004.safetensors',
      'step-000000005.safetensors',
    ]);
  });

  it('says so where every checkpoint is damaged', async () => {
    await writeFile(join(folder.path, 'step-000000002.safetensors'), 'x');
    expect(await messageOf(new CheckpointStore(folder.path).loadLatest())).to.match(
      /must be a whole safetensors file, got 1 bytes/,
    );
  });

  it('keeps the best weights that a kept checkpoint speaks of', async () => {
    const store = new CheckpointStore(folder.path);
    await store.saveBest(2, [weight(2)]);
    await store.save(snapshot(2));
    await store.saveBest(6, [weight(6)]);
    await store.save(snapshot(6));
    await store.save(snapshot(8));
    expect((await store.loadBest(6))[0].data).to.deep.equal(Float32Array.of(6));
    expect(await messageOf(store.loadBest(2))).to.match(
      /CheckpointStore\.loadBest: .*best-000000002\.safetensors must exist because a checkpoint refers to it, got none; train again without --resume/,
    );
  });
});

function weight(value: number): TensorData {
  return { shape: [1], data: Float32Array.of(value) };
}

function snapshot(step: number): TrainingSnapshot {
  const callbacks = { earlyStopping: { best: step } };
  return {
    step,
    callbacks,
    file: { tensors: new Map([['model.0', weight(step)]]), metadata: { state: JSON.stringify({ step, callbacks }) } },
  };
}
