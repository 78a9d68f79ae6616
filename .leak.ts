import './spec/support/backends';
import * as tf from '@tensorflow/tfjs-core';
import { mkdtempSync } from 'node:fs';
import { smallConfig, writeSmallShop } from './spec/support/small_shop';
import { trainRun } from './src/training/train_run_node';
import { evaluateRun } from './src/training/evaluate_run_node';
import { recommend } from './src/training/recommend_run_node';
await tf.setBackend('wasm'); await tf.ready(); tf.enableProdMode();
const f = mkdtempSync('/tmp/t/leak');
await writeSmallShop(f + '/data');
for (const method of ['sft', 'sft', 'ilrec', 'ilrec', 'sasrec', 'sasrec'] as const) {
  const out = `${f}/${method}${Math.random()}`;
  const a = tf.memory().numTensors;
  await trainRun({ data: f + '/data', out, method, config: smallConfig({ training: { epochs: 1 } }) });
  const b = tf.memory().numTensors;
  await evaluateRun({ run: out });
  const c = tf.memory().numTensors;
  await recommend({ run: out, history: [] , k: 2});
  console.log(method, b - a, c - b, tf.memory().numTensors - c);
}
process.exit(0);
