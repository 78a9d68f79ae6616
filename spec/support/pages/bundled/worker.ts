import './backends';
import * as lib from 'tfjs-ilrec';
import { answerCalls } from '../call_worker';
import { play } from '../scenario';

answerCalls((call) => play(lib, call));
