import * as tf from '@tensorflow/tfjs-core';
import { registerKernels } from './kernels/register_kernels';
import { registerLayers } from './layers/register_layers';
import { AdamW } from './optimizers/adamw';
import { AccumulatedOptimizer } from './optimizers/gradient_accumulation';

registerKernels();
registerLayers();
tf.serialization.registerClass(AdamW);
tf.serialization.registerClass(AccumulatedOptimizer); // so that a model saved with its optimizer is loaded with it
