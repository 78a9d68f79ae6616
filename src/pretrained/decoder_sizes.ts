import type * as tfl from '@tensorflow/tfjs-layers';
import { IlrecError } from '../errors';
import { familyOf } from '../models/families';
import type { HuggingFaceConfig } from '../models/hugging_face_config';

/** Shape and size of one weight of a model. */
export interface WeightSize {
  /** `layer/weight`. */
  readonly path: string;
  /** Shape in the layer. */
  readonly shape: readonly number[];
  /** Number of values. */
  readonly size: number;
}

/** The sizes that determine a decoder's memory. */
export interface DecoderSizes {
  readonly weights: readonly WeightSize[];
  /** V */
  readonly vocabSize: number;
  /** D */
  readonly hiddenSize: number;
  /** L */
  readonly numLayers: number;
  /** H */
  readonly numHeads: number;
  /** H * F */
  readonly queries: number;
  /** K * F */
  readonly keys: number;
  /** I */
  readonly intermediateSize: number;
  /** Whether the blocks are GPT-2's, otherwise Llama's. */
  readonly isGpt2: boolean;
  /** Whether the head shares the embedding's weights. */
  readonly isTied: boolean;
  /** Whether queries and keys are normalised per head. */
  readonly normsHeads: boolean;
  /** Whether any dropout is above 0. */
  readonly hasDropout: boolean;
}

const BLOCK = /^(layers|h)_\d+$/;

/**
 * Sizes of a checkpoint, from its config.json alone.
 *
 * @param caller the public function that error messages name.
 * @throws IlrecError when the family is unknown or a setting is not supported.
 */
export function sizesOfConfig(config: HuggingFaceConfig, caller: string): DecoderSizes {
  const source = 'the checkpoint';
  const weights = familyOf(config, source, caller)
    .weights(config, source, caller)
    .map(({ layer, weight, shape, transposed }) =>
      weightSize(`${layer}/${weight}`, transposed ? [...shape].reverse() : shape),
    );
  const dropout = [
    config.attention_dropout,
    config.attn_pdrop ?? (config.model_type === 'gpt2' ? 0.1 : 0),
    config.resid_pdrop,
  ].some((rate) => Number(rate ?? 0) > 0);
  return sizesOf(weights, Number(config.num_attention_heads ?? config.n_head), dropout);
}

/**
 * Sizes of a model built by `causalLM`, `gpt2` or `loadPretrained`.
 *
 * @param caller the public function that error messages name.
 * @throws IlrecError when its blocks have other classes.
 */
export function sizesOfModel(model: tfl.LayersModel, caller: string): DecoderSizes {
  const block = model.layers.find(({ name }) => BLOCK.test(name))?.getConfig();
  if (block === undefined || typeof block.numAttentionHeads !== 'number') {
    throw new IlrecError(
      `${caller}: the model must have blocks of causalLM or loadPretrained, got layers ` +
        `${model.layers.map(({ name }) => name).join(', ')}; measure a training step with tf.profile instead`,
    );
  }
  const weights = model.layers.flatMap((layer) =>
    layer.weights.map(({ originalName, shape }) => weightSize(originalName, shape as number[])),
  );
  return sizesOf(
    weights,
    block.numAttentionHeads,
    Number(block.attentionDropout ?? 0) > 0 || Number(block.hiddenDropout ?? 0) > 0,
  );
}

function sizesOf(weights: readonly WeightSize[], numHeads: number, hasDropout: boolean): DecoderSizes {
  const shapes = new Map(weights.map(({ path, shape }) => [path, shape]));
  const blocks = new Set(
    weights.map(({ path }) => path.slice(0, path.indexOf('/'))).filter((layer) => BLOCK.test(layer)),
  );
  const [first] = blocks;
  const isGpt2 = shapes.has(`${first}/c_attn`);
  const widthOf = (name: string): number => shapes.get(`${first}/${name}`)?.[1] ?? 0;
  const [vocabSize, hiddenSize] = shapes.get('embed_tokens/weight') ?? [0, 0];
  return {
    weights,
    vocabSize,
    hiddenSize,
    numLayers: blocks.size,
    numHeads,
    queries: isGpt2 ? hiddenSize : widthOf('q_proj'),
    keys: isGpt2 ? hiddenSize : widthOf('k_proj'),
    intermediateSize: widthOf(isGpt2 ? 'c_fc' : 'gate_proj'),
    isGpt2,
    isTied: !shapes.has('lm_head/weight'),
    normsHeads: shapes.has(`${first}/q_norm`),
    hasDropout,
  };
}

function weightSize(path: string, shape: readonly number[]): WeightSize {
  return { path, shape, size: shape.reduce((product, n) => product * n, 1) };
}
