import { type CausalLMConfig, checkSizes } from '../models/causal_lm';
import { llamaConfigJson } from '../models/llama';
import { nodeMemoryLimit } from '../pretrained/memory_limit_node';
import { refuseAboveMemory } from '../pretrained/refuse_above_memory';

/**
 * @throws IlrecError where a decoder from scratch would not fit, before it is built: a backend without memory only
 *   aborts.
 */
export function refuseLargeModel(shape: CausalLMConfig): void {
  checkSizes(shape);
  refuseAboveMemory(
    { config: llamaConfigJson(shape), mode: 'inference' },
    { limit: nodeMemoryLimit(), caller: 'trainRun' },
  );
}
