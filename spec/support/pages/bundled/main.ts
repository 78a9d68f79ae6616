import './backends';
import * as lib from 'tfjs-ilrec';
import { callWorker } from '../call_worker';
import { type Call, play } from '../scenario';

Object.assign(window, {
  play: {
    page: (call: Call) => play(lib, call),
    worker: (call: Call) => callWorker(new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' }), call),
  },
});
