/**
 * Importing this entry replaces kernels of tfjs's backends by faster ones and adds those that training lacks. It needs nothing else of the package.
 *
 * @module tfjs-ilrec/kernels
 */

import { registerKernels } from './kernels/register_kernels';

registerKernels();

export { registerKernels, unregisterKernels } from './kernels/register_kernels';
