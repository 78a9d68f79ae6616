import * as z from 'zod';
import { IlrecError } from '../errors';
import { ACTIVATIONS, type ActivationName } from '../ops/activations';
import type { RopeScaling } from '../ops/rotary_frequencies';

/** config.json as it was read. */
export type HuggingFaceConfig = Readonly<Record<string, unknown>>;

export const size = z.number().int().min(1);
export const rate = z.number().min(0).lt(1);
export const activation = z.enum(Object.keys(ACTIVATIONS) as [ActivationName, ...ActivationName[]]);

/** Absent from a config that can be loaded: both say that the tensors are not what their names say. */
export const unquantised = {
  quantization_config: z
    .null({ error: 'quantised checkpoints are not supported; use the float32, float16 or bfloat16 one' })
    .optional(),
};

/** The fields that the Llama-like families share; each adds its own. */
export const decoderFields = {
  ...unquantised,
  vocab_size: size,
  hidden_size: size,
  intermediate_size: size,
  num_hidden_layers: size,
  num_attention_heads: size,
  num_key_value_heads: size.nullish(),
  head_dim: size.nullish(),
  hidden_act: activation.default('silu'),
  rms_norm_eps: z.number().positive().default(1e-6),
  tie_word_embeddings: z.boolean().default(false),
  attention_dropout: rate.nullish(),
  hidden_dropout: rate.nullish(), // this and the next are fields of this package, for models trained from nothing
  embedding_dropout: rate.nullish(),
  rope_theta: z.number().positive().nullish(),
  rope_scaling: z.record(z.string(), z.unknown()).nullish(),
  rope_parameters: z.record(z.string(), z.unknown()).nullish(), // what newer configs hold instead of the two above
  max_position_embeddings: size.nullish(),
};

/** The sliding window of the Qwen families. */
export const qwenWindowFields = {
  use_sliding_window: z.boolean().default(false),
  sliding_window: size.nullish(),
  max_window_layers: z.number().int().min(0).default(28),
  layer_types: z.array(z.enum(['full_attention', 'sliding_attention'])).nullish(),
};

/**
 * Reads the fields that a family uses; others say nothing about the model and are let through.
 *
 * @throws IlrecError that lists everything wrong with them.
 */
export function parseConfig<S extends z.ZodRawShape>(
  fields: S,
  config: HuggingFaceConfig,
  source: string,
): z.output<z.ZodObject<S>> {
  const parsed = z.object(fields).safeParse(config);
  if (!parsed.success)
    throw new IlrecError(
      `loadPretrained: ${source}/config.json must describe a model that is supported:\n${z.prettifyError(parsed.error)}`,
    );
  return parsed.data;
}

const positive = z.number().positive();
const ropeTypes = {
  linear: z.object({ factor: positive }),
  llama3: z.object({
    factor: positive,
    low_freq_factor: positive,
    high_freq_factor: positive,
    original_max_position_embeddings: size,
  }),
  yarn: z.object({
    factor: positive,
    original_max_position_embeddings: size,
    beta_fast: positive.nullish(),
    beta_slow: positive.nullish(),
    attention_factor: positive.nullish(),
    truncate: z.boolean().nullish(),
    mscale: z.null({ error: 'mscale is not supported' }).optional(),
    mscale_all_dim: z.null({ error: 'mscale_all_dim is not supported' }).optional(),
  }),
};

interface RopeFields {
  rope_theta?: number | null;
  rope_scaling?: Record<string, unknown> | null;
  rope_parameters?: Record<string, unknown> | null;
  max_position_embeddings?: number | null;
}

/** Base and scaling of the rotary wavelengths, from the fields of older or newer configs. */
export function ropeOf(config: RopeFields, source: string): { ropeTheta: number; ropeScaling: RopeScaling | null } {
  const given = config.rope_parameters ?? config.rope_scaling ?? {};
  const refuse = (what: string): IlrecError =>
    new IlrecError(`loadPretrained: ${source}/config.json must use rotary embeddings that are supported, got ${what}`);
  const type = given.rope_type ?? given.type ?? 'default';
  const theta = given.rope_theta ?? config.rope_theta ?? 10000;
  if (typeof theta !== 'number' || !(theta > 1))
    throw refuse(`rope_theta ${JSON.stringify(theta)}; it must be above 1`);
  const { partial_rotary_factor: partial = 1 } = given;
  if (partial !== 1) throw refuse(`partial_rotary_factor ${JSON.stringify(partial)}; only whole heads are rotated`);
  if (type === 'default') return { ropeTheta: theta, ropeScaling: null };
  if (typeof type !== 'string' || !(type in ropeTypes))
    throw refuse(`rope_type ${JSON.stringify(type)}; known are default, ${Object.keys(ropeTypes).join(', ')}`);
  const original = given.original_max_position_embeddings ?? config.max_position_embeddings;
  const parsed = ropeTypes[type as keyof typeof ropeTypes].safeParse({
    ...given,
    original_max_position_embeddings: original,
  });
  if (!parsed.success) throw refuse(`rope_type ${type} with\n${z.prettifyError(parsed.error)}`);
  const camel = Object.entries(parsed.data)
    .filter(([, value]) => value != null)
    .map(([key, value]) => [key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()), value]);
  return { ropeTheta: theta, ropeScaling: { ropeType: type, ...Object.fromEntries(camel) } as RopeScaling };
}
