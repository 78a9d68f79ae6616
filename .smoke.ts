import { registerKernels } from './src/kernels/register_kernels';
import './spec/support/backends';
import * as tf from '@tensorflow/tfjs-core';
import { demoCatalogue } from './src/data/demo_catalogue';
import { prepareInteractions } from './src/data/prepare';
import { writePrepared } from './src/data/files_node';
import { trainRun } from './src/training/train_run_node';
import { parseTrainConfig } from './src/config/train_config';
import { progress } from './src/callbacks/progress_node';
import { loadRun } from './src/training/load_run_node';
import { rmSync } from 'node:fs';
rmSync('/tmp/t/runs', {recursive: true, force: true});
registerKernels(); await tf.setBackend(process.argv[2] ?? 'wasm'); await tf.ready();
const prepared = prepareInteractions(demoCatalogue({ numItems: 400, numUsers: 3000 }));
console.log(prepared.report.semanticIds);
await writePrepared(prepared, '/tmp/t/data');
const config = parseTrainConfig({ training: { epochs: 3, validationUsers: 300, batchSize: 64 }, model: {hiddenSize: 64, numHiddenLayers: 4} });
for (const method of ['popularity','markov','sasrec','sft','ilrec'] as const) {
  const t = Date.now();
  const { manifest } = await trainRun({ data: '/tmp/t/data', out: `/tmp/t/runs/${method}`, method, config, callbacks: (label) => [progress({ label, lineEverySeconds: 5 })], onEvaluation: (l, r, b) => console.log(l, r, b) });
  console.log(method, (Date.now() - t) / 1000, manifest.status, manifest.steps, manifest.validation?.best?.metrics, tf.memory().numTensors);
}
