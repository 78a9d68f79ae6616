/** Trains in a process of its own, so that a spec can kill it: `train_child.ts DATA OUT METHOD`. */
import * as tf from '@tensorflow/tfjs-core';
import type { MethodName } from '../../src/methods/registry';
import { trainRun } from '../../src/runs/train_run';
import './open_backends';
import { smallConfig } from './small_shop';

const [data, out, method] = process.argv.slice(2);
await import('./backends');
await tf.setBackend('wasm');
await tf.ready();
await trainRun({ data, out, method: method as MethodName, config: smallConfig(), resume: true });
process.exit(0);
