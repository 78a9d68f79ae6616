import { type CausalLMConfig, checkSizes } from '../models/causal_lm';
import { llamaConfigJson } from '../models/llama';
import { machineMemoryLimit } from '../pretrained/memory_limit';
import { refuseAboveMemory } from '../pretrained/refuse_above_memory';

/**
 * @throws IlrecError where a decoder from scratch would not fit, before it is built: a backend without memory only
 *   aborts.
 */
export function refuseLargeModel(shape: CausalLMConfig): void {
  checkSizes(shape);
  refuseAboveMemory(
    { config: llamaConfigJson(shape), mode: 'inference' },
    { limit: machineMemoryLimit(), caller: 'trainRun' },
  );
}
