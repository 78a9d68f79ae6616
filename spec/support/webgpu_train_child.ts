/** Trains on WebGPU in a process of its own, whose device it can lose: `webgpu_train_child.ts DATA OUT [LOSE_AFTER_STEPS]`; prints what it ended with. */
import * as tf from '@tensorflow/tfjs-core';
import { useBackend } from '../../src/backends/use_backend_node';
import { trainRun } from '../../src/training/train_run_node';
import '../../src/register';
import { smallConfig } from './small_shop';

const [data, out, loseAfter] = process.argv.slice(2);
await useBackend('webgpu');
const { device } = tf.backend() as unknown as { device: { destroy(): void } };
const lose = { onStep: ({ step }: { step: number }): void => (step === Number(loseAfter) ? device.destroy() : undefined) };
const ended = await trainRun({ data, out, method: 'ilrec', config: smallConfig(), resume: true, callbacks: () => [lose] }).then(
  ({ manifest }) => manifest.status,
  (error: Error) => `${error.name}: ${error.message}`,
);
process.stdout.write(`${ended}\n`, () => process.exit(0));
