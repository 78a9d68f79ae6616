import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import '../register'; // in a bundle nothing else does
import { IlrecError } from '../errors';
import { LMHead, TokenEmbedding } from '../layers';
import { layersWithin } from '../layers/layers_within';
import type { Adaptable } from '../layers/projection';
import { meanRow } from './table_statistics';

/** Class names of the layers whose weight has a row per token. */
const VOCABULARY_LAYERS: readonly string[] = [TokenEmbedding.className, LMHead.className];

/** New rows of embedding and head; row r belongs to token `ids[r]`. */
export interface VocabularyRows {
  /** Distinct token ids, in any order, [R]. */
  readonly ids: Int32Array;
  /** Rows of the embedding, flat [R * D]. */
  readonly embedding: Float32Array;
  /** Rows of an untied head, flat [R * D]. Default those of the embedding. */
  readonly head?: Float32Array;
}

/**
 * Enlarges the vocabulary of a model of this package. New rows that are not given are the mean of the old rows: rows of
 * zeros would have a logit of 0, which may exceed all others.
 *
 * With an unchanged size, the rows are written into the model, which is returned. Otherwise a new model with the same
 * layer names takes over the weights, and the old model is disposed; compile the new one. Only the vocabulary's tables
 * are ever in memory twice.
 *
 * @param model a model of `causalLM`, `gpt2` or `loadPretrained`.
 * @param vocabSize V of the new model, at least that of the old one.
 * @param rows rows of some tokens, new or old. Default none.
 * @returns the model to use from now on.
 * @throws IlrecError when the model has no token embedding, would shrink, or has adapters, gradient checkpointing or
 * taps, or when rows do not fit.
 * @example
 * ```ts
 * import { causalLM, resizeTokenEmbeddings } from 'tfjs-ilrec';
 *
 * const model = causalLM({ vocabSize: 10, hiddenSize: 8, numHiddenLayers: 1 });
 * const larger = resizeTokenEmbeddings(model, 12);
 * console.log(larger.outputs[0].shape); // [ null, null, 12 ]
 * ```
 */
export function resizeTokenEmbeddings(
  model: tfl.LayersModel,
  vocabSize: number,
  rows?: VocabularyRows,
): tfl.LayersModel {
  const layers = vocabularyLayers(model);
  check(layers, vocabSize, rows);
  checkBare(model);
  const resized = (layer: VocabularyLayer): tf.Tensor2D =>
    resizedTable(
      layer.weight,
      vocabSize,
      rows?.ids,
      layer instanceof LMHead ? (rows?.head ?? rows?.embedding) : rows?.embedding,
    );
  if (layers.every((layer) => layer.vocabSize === vocabSize)) {
    for (const layer of layers) write(layer.weights[0], resized(layer));
    return model;
  }
  const renewed = rebuild(model, vocabSize);
  const tables = new Map(layers.map((layer) => [layer.weights[0], layer]));
  model.weights.forEach((weight, i) => {
    const layer = tables.get(weight);
    if (layer === undefined)
      renewed.weights[i].write(weight.read()); // the same memory: no copy
    else write(renewed.weights[i], resized(layer));
  });
  const old = model.getWeights();
  model.dispose();
  // model.dispose() leaves the weights of a layer that is used twice
  for (const weight of old) if (!weight.isDisposed) weight.dispose();
  return renewed;
}

export type VocabularyLayer = TokenEmbedding | LMHead;

/** The token embedding and an untied head, also inside nested models. */
export function vocabularyLayers(model: tfl.LayersModel): VocabularyLayer[] {
  return allLayers(model).filter((layer) => layer instanceof TokenEmbedding || layer instanceof LMHead);
}

function allLayers(model: tfl.LayersModel): tfl.layers.Layer[] {
  return [...new Set(model.layers.flatMap(layersWithin))];
}

/** Refuses models with adapters, checkpointing or taps, which a new model would not have. */
function checkBare(model: tfl.LayersModel): void {
  const changed = allLayers(model).find(
    (layer) => Object.hasOwn(layer, 'call') || ((layer as Partial<Adaptable>).projectionDelta ?? null) !== null,
  );
  const name = Object.hasOwn(model, 'trainableWeights') ? model.name : changed?.name;
  if (name !== undefined) {
    throw new IlrecError(
      'resizeTokenEmbeddings: the model must have no adapters, gradient checkpointing or taps, got some on ' +
        `${name}; resize it first, then add them`,
    );
  }
}

function check(layers: readonly VocabularyLayer[], vocabSize: number, rows: VocabularyRows | undefined): void {
  if (!layers.some((layer) => layer instanceof TokenEmbedding)) {
    throw new IlrecError(
      `resizeTokenEmbeddings: the model must have a layer of class ${TokenEmbedding.className}, got none; build ` +
        'it with causalLM or loadPretrained',
    );
  }
  for (const layer of layers) {
    if (!(Number.isInteger(vocabSize) && vocabSize >= layer.vocabSize)) {
      throw new IlrecError(
        `resizeTokenEmbeddings: vocabSize must be an integer of at least ${layer.vocabSize}, that of ` +
          `${layer.name}, got ${vocabSize}; a vocabulary can only grow`,
      );
    }
    const given = layer instanceof LMHead ? (rows?.head ?? rows?.embedding) : rows?.embedding;
    const wanted = (rows?.ids.length ?? 0) * layer.weight.shape[1];
    if (given !== undefined && given.length !== wanted) {
      throw new IlrecError(
        `resizeTokenEmbeddings: rows of ${layer.name} must be ${rows?.ids.length} of ${layer.weight.shape[1]} ` +
          `values, got ${given.length} values in all; make them from the table of this model`,
      );
    }
  }
  const ids = [...(rows?.ids ?? [])];
  const wrong = ids.find((id) => !(id >= 0 && id < vocabSize));
  if (wrong !== undefined)
    throw new IlrecError(
      `resizeTokenEmbeddings: rows must belong to tokens in [0, ${vocabSize}), got ${wrong}; use the tokenizer's ` +
        'vocabSize',
    );
  if (new Set(ids).size !== ids.length)
    throw new IlrecError(
      `resizeTokenEmbeddings: rows must belong to distinct tokens, got ${ids.length - new Set(ids).size} twice; ` +
        'give one row per token',
    );
}

/** The table with its new rows, concatenated from runs of old and new rows, [V, D]. */
function resizedTable(
  table: tf.Tensor2D,
  vocabSize: number,
  ids: Int32Array = new Int32Array(0),
  values: Float32Array = new Float32Array(0),
): tf.Tensor2D {
  const [oldSize, hiddenSize] = table.shape;
  const rowOf = new Map(Array.from(ids, (id, r) => [id, r + 1]));
  return tf.tidy(() => {
    const mean = meanRow(table); // [1, D]
    const fresh = ids.length === 0 ? mean : tf.concat([mean, tf.tensor2d(values, [ids.length, hiddenSize])], 0); // [1 + R, D]
    const isOld = (v: number): boolean => v < oldSize && !rowOf.has(v);
    const runs: tf.Tensor2D[] = [];
    for (let low = 0, high = 0; low < vocabSize; low = high) {
      const old = isOld(low);
      while (high < vocabSize && isOld(high) === old) high++;
      runs.push(
        old
          ? tf.slice(table, [low, 0], [high - low, hiddenSize])
          : (tf.gather(
              fresh,
              Int32Array.from({ length: high - low }, (_, i) => rowOf.get(low + i) ?? 0),
            ) as tf.Tensor2D),
      );
    }
    return tf.concat(runs, 0);
  });
}

/** Writes a tensor into a variable and disposes the tensor. */
function write(variable: tfl.LayerVariable, value: tf.Tensor): void {
  variable.write(value);
  value.dispose();
}

/** `Layer.addWeight`, which is protected in tfjs's types. */
type AddWeight = (
  this: tfl.layers.Layer,
  name: string,
  shape: number[],
  dtype: tf.DataType | undefined,
  initializer: { apply(): tf.Tensor },
  ...rest: unknown[]
) => tfl.LayerVariable;

/** A new model with enlarged vocabulary layers. Its other weights share their memory with the old model's. */
function rebuild(model: tfl.LayersModel, vocabSize: number): tfl.LayersModel {
  const config = JSON.parse(JSON.stringify(model.getConfig())) as tf.serialization.ConfigDict;
  enlarge(config, vocabSize);
  const Model = model.constructor as tf.serialization.SerializableConstructor<tfl.LayersModel>;
  const weightOf = new Map(model.weights.map((weight) => [weight.originalName, weight]));
  // tfjs initialises every weight when it builds a layer; reusing the old values keeps a large model from being in
  // memory twice.
  const prototype = tfl.layers.Layer.prototype as unknown as { addWeight: AddWeight };
  const { addWeight } = prototype;
  prototype.addWeight = function (name, shape, dtype, _initializer, ...rest) {
    const apply = (): tf.Tensor => {
      const old = weightOf.get(`${this.name}/${name}`)?.read();
      // a reshaped tensor shares its memory, a clone does not on wasm
      return old !== undefined && old.shape.join() === shape.join() ? tf.reshape(old, shape) : tf.zeros(shape, dtype);
    };
    return addWeight.call(this, name, shape, dtype, { apply }, ...rest);
  };
  try {
    return Model.fromConfig(Model, config);
  } finally {
    prototype.addWeight = addWeight;
  }
}

/** Sets `vocabSize` in the config of every vocabulary layer. */
function enlarge(config: unknown, vocabSize: number): void {
  if (typeof config !== 'object' || config === null) return;
  const { className, config: inner } = config as { className?: unknown; config?: { vocabSize?: number } };
  if (typeof className === 'string' && VOCABULARY_LAYERS.includes(className) && inner !== undefined)
    inner.vocabSize = vocabSize;
  for (const value of Object.values(config)) enlarge(value, vocabSize);
}
