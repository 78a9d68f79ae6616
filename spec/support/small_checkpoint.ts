import { encodeSafetensorsHeader } from '../../src/safetensors/safetensors';
import { encodeValues, type WrittenType } from '../../src/safetensors/safetensors_types';
import { familyOf } from '../../src/models/families';
import type { HuggingFaceConfig } from '../../src/models/hugging_face_config';
import { normals } from './random';

/** A Llama of two blocks, grouped heads and an untied head. */
export const SMALL_CONFIG = {
  model_type: 'llama',
  architectures: ['LlamaForCausalLM'],
  vocab_size: 13,
  hidden_size: 12,
  intermediate_size: 17,
  num_hidden_layers: 2,
  num_attention_heads: 3,
  num_key_value_heads: 1,
  head_dim: 4,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: false,
  max_position_embeddings: 32,
  torch_dtype: 'float32',
} as const;

export interface StoredTensor {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** Random tensors for every weight that a config describes, by their names in a checkpoint. */
export function randomTensors(config: HuggingFaceConfig, seed = 1): Map<string, StoredTensor> {
  const weights = familyOf(config, 'small').weights(config, 'small');
  return new Map(
    weights.map(({ name, shape }, i) => [
      name,
      {
        shape,
        values: normals(
          shape.reduce((a, b) => a * b, 1),
          seed + i,
          0.3,
        ),
      },
    ]),
  );
}

/** A safetensors file; names may have a type of their own, and bytes that are not values. */
export function safetensorsOf(tensors: ReadonlyMap<string, StoredTensor>, dtype: WrittenType = 'F32'): Uint8Array {
  const parts = [...tensors].map(([name, { shape, values }]) => ({ name, shape, bytes: encodeValues(values, dtype) }));
  const start = encodeSafetensorsHeader(
    parts.map(({ name, shape, bytes }) => [name, { dtype, shape, bytes: bytes.length }]),
    { format: 'pt' },
  );
  return Uint8Array.from([...start, ...parts.flatMap(({ bytes }) => [...bytes])]);
}
