import { IlrecError } from '../errors';
import { GPT2 } from './gpt2';
import type { HuggingFaceConfig } from './hugging_face_config';
import { LLAMA } from './llama';
import { MISTRAL } from './mistral';
import type { ModelFamily } from './model_family';
import { QWEN2 } from './qwen2';
import { QWEN3 } from './qwen3';

export const FAMILIES: readonly ModelFamily[] = [LLAMA, MISTRAL, QWEN2, QWEN3, GPT2];

/**
 * The family of a checkpoint.
 *
 * @throws IlrecError when the config names none that is known, or a class other than the family's language model.
 */
export function familyOf(config: HuggingFaceConfig, source: string): ModelFamily {
  const { model_type: modelType, architectures } = config;
  const family = FAMILIES.find((known) => known.modelType === modelType);
  if (family === undefined) {
    const known = FAMILIES.map((one) => one.modelType).join(', ');
    throw new IlrecError(
      `loadPretrained: model_type in ${source}/config.json must be one of ${known}, got ${JSON.stringify(modelType)}; use a checkpoint of these families`,
    );
  }
  const named = Array.isArray(architectures) ? architectures : [];
  if (named.length > 0 && !named.includes(family.architecture)) {
    throw new IlrecError(
      `loadPretrained: architectures in ${source}/config.json must name ${family.architecture}, got ${JSON.stringify(architectures)}; use the causal language model's checkpoint`,
    );
  }
  return family;
}
