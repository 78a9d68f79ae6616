/** Trains the method of own_method.ts on a small generated shop and compares it with two methods of the package. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-wasm';
import { demoCatalogue, prepareInteractions } from 'tfjs-ilrec';
import { compareMethods, comparisonTable, writePrepared } from 'tfjs-ilrec/node';
import { gruMethod } from './own_method';

await tf.setBackend('wasm');
const out = await mkdtemp(join(tmpdir(), 'own-method-'));
const data = join(out, 'data');
await writePrepared(prepareInteractions(demoCatalogue({ numItems: 40, numUsers: 80 })), data);

const config = { training: { epochs: 2, learningRate: 0.02, validationUsers: 40 }, methods: { gru: { units: 16 } } };
const comparison = await compareMethods({ data, out, methods: ['popularity', 'markov', gruMethod], config });
console.log(comparisonTable(comparison));
