import { IlrecError } from '../errors';
import { GPT2 } from './gpt2';
import type { HuggingFaceConfig } from './hugging_face_config';
import { LLAMA } from './llama';
import { MISTRAL } from './mistral';
import type { ModelFamily } from './model_family';
import { QWEN2 } from './qwen2';
import { QWEN3 } from './qwen3';

/**
 * The architectures whose checkpoints `loadPretrained` reads.
 *
 * @example
 * ```ts
 * import { FAMILIES } from 'tfjs-ilrec';
 *
 * console.log(FAMILIES.map((family) => family.modelType).join(', ')); // llama, mistral, qwen2, qwen3, gpt2
 * ```
 */
export const FAMILIES: readonly ModelFamily[] = [LLAMA, MISTRAL, QWEN2, QWEN3, GPT2];

/**
 * Finds the family of a checkpoint.
 *
 * @param config content of config.json.
 * @param source name of the checkpoint in error messages.
 * @param caller the function that error messages name. Default 'familyOf'.
 * @returns the family, which builds the model and lists its tensors.
 * @throws IlrecError when `model_type` is unknown, or `architectures` does not name the family's causal language model.
 * @example
 * ```ts
 * import { familyOf } from 'tfjs-ilrec';
 *
 * console.log(familyOf({ model_type: 'llama' }, 'my-checkpoint').architecture); // LlamaForCausalLM
 * ```
 */
export function familyOf(config: HuggingFaceConfig, source: string, caller = 'familyOf'): ModelFamily {
  const { model_type: modelType, architectures } = config;
  const family = FAMILIES.find((known) => known.modelType === modelType);
  if (family === undefined) {
    const known = FAMILIES.map((one) => one.modelType).join(', ');
    throw new IlrecError(
      `${caller}: model_type in ${source}/config.json must be one of ${known}, got ${JSON.stringify(modelType)}; ` +
        'use a checkpoint of one of these families',
    );
  }
  const named = Array.isArray(architectures) ? architectures : [];
  if (named.length > 0 && !named.includes(family.architecture)) {
    throw new IlrecError(
      `${caller}: architectures in ${source}/config.json must name ${family.architecture}, got ` +
        `${JSON.stringify(architectures)}; use the causal language model's checkpoint`,
    );
  }
  return family;
}
