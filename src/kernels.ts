import { registerKernels } from './kernels/register_kernels';

registerKernels();

export { registerKernels, unregisterKernels } from './kernels/register_kernels';
