#!/usr/bin/env node
import * as tf from '@tensorflow/tfjs-core';
import { main } from './program';

console.log = console.error; // libraries' remarks: stdout is for results
tf.enableProdMode(); // without tfjs's advertisement for its node backend
const status = await main(process.argv);
process.stdout.write('', () => process.exit(status)); // once all output is out; a backend's threads would keep the process alive
