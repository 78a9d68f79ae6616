import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import '../register'; // bundlers skip the import in index.ts
import { IlrecError } from '../errors';
import { LMHead, TokenEmbedding } from '../layers';
import { layersWithin } from '../layers/layers_within';
import type { Adaptable } from '../layers/projection';
import { meanRow } from './table_statistics';

/** The layers whose weight has a row per token, by class name. */
const VOCABULARY_LAYERS: readonly string[] = [TokenEmbedding.className, LMHead.className];

/** Rows for some tokens: row r is that of token `ids[r]`. */
export interface VocabularyRows {
  /** Token ids, ascending or not, each once, [R]. */
  readonly ids: Int32Array;
  /** Rows of the embedding, [R * D]. */
  readonly embedding: Float32Array;
  /** Rows of an untied head, [R * D]; default those of the embedding. */
  readonly head?: Float32Array;
}

/**
 * Gives a model of ILRec's layers a larger vocabulary. Rows that are not given are the mean of the old ones: zeros would have a logit of 0, which
 * may be above all others.
 *
 * Where the vocabulary is already as large, the rows are written into the model, and it is returned. Else a new model with the same layer names
 * takes over the weights and the old one is disposed; compile it again. At no time is there a second copy of more than the vocabulary's tables.
 *
 * @param vocabSize V of the new model, at least that of the old.
 * @throws IlrecError when the model has no such layer or would shrink, carries an adapter, checkpointing or taps, or rows do not fit.
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
  for (const weight of old) if (!weight.isDisposed) weight.dispose(); // a layer that is used twice keeps its own
  return renewed;
}

export type VocabularyLayer = TokenEmbedding | LMHead;

/** The token embedding and the head, if it has weights of its own; also those inside nested models. */
export function vocabularyLayers(model: tfl.LayersModel): VocabularyLayer[] {
  return allLayers(model).filter((layer) => layer instanceof TokenEmbedding || layer instanceof LMHead);
}

function allLayers(model: tfl.LayersModel): tfl.layers.Layer[] {
  return [...new Set(model.layers.flatMap(layersWithin))];
}

/** What adapters, checkpointing and taps put on a model would be lost in a new one. */
function checkBare(model: tfl.LayersModel): void {
  const changed = allLayers(model).find(
    (layer) => Object.hasOwn(layer, 'call') || ((layer as Partial<Adaptable>).projectionDelta ?? null) !== null,
  );
  const name = Object.hasOwn(model, 'trainableWeights') ? model.name : changed?.name;
  if (name !== undefined) {
    throw new IlrecError(
      `resizeTokenEmbeddings: the model must carry no adapter, checkpointing or taps, got some on ${name}; resize it first and add them then`,
    );
  }
}

function check(layers: readonly VocabularyLayer[], vocabSize: number, rows: VocabularyRows | undefined): void {
  if (!layers.some((layer) => layer instanceof TokenEmbedding)) {
    throw new IlrecError(
      `resizeTokenEmbeddings: the model must have a layer of class ${TokenEmbedding.className}, got none; build it with causalLM or loadPretrained`,
    );
  }
  for (const layer of layers) {
    if (!(Number.isInteger(vocabSize) && vocabSize >= layer.vocabSize)) {
      throw new IlrecError(
        `resizeTokenEmbeddings: vocabSize must be an integer of at least ${layer.vocabSize}, that of ${layer.name}, got ${vocabSize}; a vocabulary only grows`,
      );
    }
    const given = layer instanceof LMHead ? (rows?.head ?? rows?.embedding) : rows?.embedding;
    const wanted = (rows?.ids.length ?? 0) * layer.weight.shape[1];
    if (given !== undefined && given.length !== wanted) {
      throw new IlrecError(
        `resizeTokenEmbeddings: rows of ${layer.name} must be ${rows?.ids.length} of ${layer.weight.shape[1]} numbers, got ${given.length} numbers in all; make them from the table of this model`,
      );
    }
  }
  const ids = [...(rows?.ids ?? [])];
  const wrong = ids.find((id) => !(id >= 0 && id < vocabSize));
  if (wrong !== undefined)
    throw new IlrecError(
      `resizeTokenEmbeddings: rows must be of tokens in [0, ${vocabSize}), got ${wrong}; use the tokenizer's vocabSize`,
    );
  if (new Set(ids).size !== ids.length)
    throw new IlrecError(
      `resizeTokenEmbeddings: rows must be of distinct tokens, got ${ids.length - new Set(ids).size} twice; give one row per token`,
    );
}

/** The table with its new rows, put together from runs of old and of fresh ones, [V, D]. */
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

/** Hands a tensor over to a variable. */
function write(variable: tfl.LayerVariable, value: tf.Tensor): void {
  variable.write(value);
  value.dispose();
}

/** What tfjs's layers call to make a weight; its types keep it to subclasses. */
type AddWeight = (
  this: tfl.layers.Layer,
  name: string,
  shape: number[],
  dtype: tf.DataType | undefined,
  initializer: { apply(): tf.Tensor },
  ...rest: unknown[]
) => tfl.LayerVariable;

/** The model anew with the vocabulary's layers enlarged; the weights of all others are at once those of the old model, under other variables. */
function rebuild(model: tfl.LayersModel, vocabSize: number): tfl.LayersModel {
  const config = JSON.parse(JSON.stringify(model.getConfig())) as tf.serialization.ConfigDict;
  enlarge(config, vocabSize);
  const Model = model.constructor as tf.serialization.SerializableConstructor<tfl.LayersModel>;
  const weightOf = new Map(model.weights.map((weight) => [weight.originalName, weight]));
  // tfjs initialises every weight when it builds a layer: handing out the old ones keeps a large model from being in memory twice.
  const prototype = tfl.layers.Layer.prototype as unknown as { addWeight: AddWeight };
  const { addWeight } = prototype;
  prototype.addWeight = function (name, shape, dtype, _initializer, ...rest) {
    const apply = (): tf.Tensor => {
      const old = weightOf.get(`${this.name}/${name}`)?.read();
      return old !== undefined && old.shape.join() === shape.join() ? tf.reshape(old, shape) : tf.zeros(shape, dtype); // a reshaped tensor shares its memory, a clone does not on wasm
    };
    return addWeight.call(this, name, shape, dtype, { apply }, ...rest);
  };
  try {
    return Model.fromConfig(Model, config);
  } finally {
    prototype.addWeight = addWeight;
  }
}

/** Sets the vocabulary's size wherever one of its layers is described. */
function enlarge(config: unknown, vocabSize: number): void {
  if (typeof config !== 'object' || config === null) return;
  const { className, config: inner } = config as { className?: unknown; config?: { vocabSize?: number } };
  if (typeof className === 'string' && VOCABULARY_LAYERS.includes(className) && inner !== undefined)
    inner.vocabSize = vocabSize;
  for (const value of Object.values(config)) enlarge(value, vocabSize);
}
