/**
 * Trains on WebGPU in a process of its own, whose device it can lose: `webgpu_train_child.ts DATA OUT [LOSE_AFTER_STEPS
 * [again]]`; prints what it ended with, and with `again` what the rest of the run on another device ended with.
 */
import * as tf from '@tensorflow/tfjs-core';
import { useBackend } from '../../src/backends/use_backend_node';
import { trainRun } from '../../src/runs/train_run';
import '../../src/register';
import { smallConfig } from './small_shop';

const [data, out, loseAfter, again] = process.argv.slice(2);

async function train(loses: boolean): Promise<string> {
  await useBackend('webgpu');
  const { device } = tf.backend() as unknown as { device: { destroy(): void } };
  const lose = {
    onStep: ({ step }: { step: number }): void => (loses && step === Number(loseAfter) ? device.destroy() : undefined),
  };
  return await trainRun({
    data,
    out,
    method: 'ilrec',
    config: smallConfig(),
    resume: true,
    callbacks: () => [lose],
  }).then(
    ({ manifest }) => manifest.status,
    (error: Error) => `${error.name}: ${error.message}`,
  );
}

const ended = [await train(true)];
if (again !== undefined) ended.push(await train(false));
process.stdout.write(`${ended.join('\n')}\n`, () => process.exit(0));
