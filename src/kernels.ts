/**
 * The entry `tfjs-ilrec/kernels`. Importing it registers this package's kernels with tfjs, for every backend that is
 * loaded now or later. It imports nothing else of this package, so any tfjs program can use it alone:
 *
 * ```ts
 * import '@tensorflow/tfjs-backend-wasm';
 * import 'tfjs-ilrec/kernels';
 * ```
 *
 * @module tfjs-ilrec/kernels
 */
import { registerKernels, unregisterKernels } from './kernels/register_kernels';

registerKernels();

export { registerKernels, unregisterKernels };
