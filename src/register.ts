import * as tf from '@tensorflow/tfjs-core';
import './kernels';
import { registerLayers } from './layers/register_layers';
import { AdamW } from './optimizers/adamw';
import { AccumulatedOptimizer } from './optimizers/gradient_accumulation';

registerLayers();
tf.serialization.registerClass(AdamW);
tf.serialization.registerClass(AccumulatedOptimizer); // tfjs finds the optimizer of a saved model by its class name
