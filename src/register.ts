import * as tf from '@tensorflow/tfjs-core';
import { registerKernels } from './kernels/register_kernels';
import { registerLayers } from './layers/register_layers';
import { AdamW } from './training/adamw';
import { AccumulatedOptimizer } from './training/gradient_accumulation';

registerKernels();
registerLayers();
tf.serialization.registerClass(AdamW);
tf.serialization.registerClass(AccumulatedOptimizer); // so that a model saved with its optimizer is loaded with it
