import * as z from 'zod';
import { IlrecError } from '../errors';
import { ACTIVATIONS, type ActivationName } from '../ops/activations';
import type { RopeScaling } from '../ops/rotary_frequencies';

/** The content of a checkpoint's config.json. */
export type HuggingFaceConfig = Readonly<Record<string, unknown>>;

export const size = z.number().int().min(1);
export const rate = z.number().min(0).lt(1);
export const activation = z.enum(Object.keys(ACTIVATIONS) as [ActivationName, ...ActivationName[]]);

/** Must be absent or null: the tensors of a quantised checkpoint are not plain weights. */
export const unquantised = {
  quantization_config: z
    .null({ error: 'quantised checkpoints are not supported; use the float32, float16 or bfloat16 one' })
    .optional(),
};

/** Fields shared by the Llama-like families; each family adds its own. */
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
  hidden_dropout: rate.nullish(), // this and the next are this package's own, for models trained from scratch
  embedding_dropout: rate.nullish(),
  rope_theta: z.number().positive().nullish(),
  rope_scaling: z.record(z.string(), z.unknown()).nullish(),
  rope_parameters: z.record(z.string(), z.unknown()).nullish(), // replaces the two above in newer configs
  partial_rotary_factor: z.number().nullish(), // of older configs; must be 1
  max_position_embeddings: size.nullish(),
  original_max_position_embeddings: size.nullish(),
  layer_types: z.array(z.enum(['full_attention', 'sliding_attention'])).nullish(),
};

/** Fields of the Qwen families' sliding window. */
export const qwenWindowFields = {
  use_sliding_window: z.boolean().default(false),
  sliding_window: size.nullable().default(4096),
  max_window_layers: z.number().int().min(0).default(28),
};

/**
 * Reads the fields that a family uses; other fields do not change the model and are ignored.
 *
 * @throws IlrecError that lists every invalid field.
 */
export function parseConfig<S extends z.ZodRawShape>(
  fields: S,
  config: HuggingFaceConfig,
  source: string,
  caller = 'loadPretrained',
): z.output<z.ZodObject<S>> {
  const parsed = z.object(fields).safeParse(config);
  if (!parsed.success)
    throw new IlrecError(
      `${caller}: ${source}/config.json must describe a supported model:\n${z.prettifyError(parsed.error)}`,
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
  partial_rotary_factor?: number | null;
  max_position_embeddings?: number | null;
  original_max_position_embeddings?: number | null;
}

/**
 * Base and scaling of the rotary wavelengths, from the fields of older or newer configs. As in transformers, a
 * `rope_scaling` that is not empty replaces all of `rope_parameters`, its base too, and a top-level
 * `original_max_position_embeddings` replaces the inner one.
 *
 * @throws IlrecError when the embedding is not supported, or `rope_parameters` has settings per kind of layer.
 */
export function ropeOf(
  config: RopeFields,
  source: string,
  caller: string,
): { ropeTheta: number; ropeScaling: RopeScaling | null } {
  const isGiven = (value: RopeFields['rope_scaling']): boolean => value != null && Object.keys(value).length > 0;
  const given = (isGiven(config.rope_scaling) ? config.rope_scaling : config.rope_parameters) ?? {};
  const refuse = (what: string): IlrecError =>
    new IlrecError(`${caller}: ${source}/config.json must use a supported rotary embedding, got ${what}`);
  const nested = Object.keys(given).find((key) => key.endsWith('_attention'));
  if (nested !== undefined)
    throw refuse(`settings of their own for "${nested}" layers; they must be the same for all layers`);
  const type = given.rope_type ?? given.type ?? 'default';
  const theta = given.rope_theta ?? config.rope_theta ?? 10000;
  if (typeof theta !== 'number' || !(theta > 1))
    throw refuse(`rope_theta ${JSON.stringify(theta)}; it must be above 1`);
  const partial = given.partial_rotary_factor ?? config.partial_rotary_factor ?? 1;
  if (partial !== 1) throw refuse(`partial_rotary_factor ${JSON.stringify(partial)}; it must be 1`);
  if (type === 'default') return { ropeTheta: theta, ropeScaling: null };
  if (typeof type !== 'string' || !Object.hasOwn(ropeTypes, type))
    throw refuse(`rope_type ${JSON.stringify(type)}; it must be one of default, ${Object.keys(ropeTypes).join(', ')}`);
  const original =
    config.original_max_position_embeddings ?? given.original_max_position_embeddings ?? config.max_position_embeddings;
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
