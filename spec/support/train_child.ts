/** Trains in a child process that kills itself in the middle of a step: `train_child.ts DATA OUT METHOD STEP`. */
import * as tf from '@tensorflow/tfjs-core';
import type { MethodName } from '../../src/methods/registry';
import { trainRun } from '../../src/runs/train_run';
import type { TrainingCallback } from '../../src/training/train_model';
import './open_backends';
import { smallConfig } from './small_shop';

const [data, out, method, lastStep] = process.argv.slice(2);
await import('./backends');
await tf.setBackend('wasm');
await tf.ready();
const die: TrainingCallback = {
  onStep: ({ step }) => void (step === Number(lastStep) && process.kill(process.pid, 'SIGKILL')),
};
await trainRun({
  data,
  out,
  method: method as MethodName,
  config: smallConfig(),
  resume: true,
  callbacks: () => [die],
});
process.exit(0);
