import { registerKernels } from './kernels/register_kernels';
import { registerLayers } from './layers/register_layers';

registerKernels();
registerLayers();
