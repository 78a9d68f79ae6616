import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import '../register'; // bundlers skip the import in index.ts
import { type FileSource, readJson, readOptionalJson } from '../files/file_source';
import { type CheckpointReader, openSafetensors } from '../safetensors/safetensors_reader';
import { IlrecError } from '../errors';
import { familyOf } from '../models/families';
import type { ModelFamily } from '../models/model_family';
import type { HuggingFaceConfig } from '../models/hugging_face_config';
import { TextTokenizer } from '../tokenizers/text_tokenizer';
import { disposeModel } from '../models/dispose_model';
import { matchWeights, type WeightMatch } from './match_weights';
import { memoryLimit } from './memory_limit';
import { refuseAboveMemory } from './refuse_above_memory';
import { weightVariable } from './weight_variable';

/** A checkpoint, ready to use. */
export interface Pretrained {
  /** Token ids int32 [B, T] to logits [B, T, V]; all weights float32 and trainable. */
  readonly model: tfl.LayersModel;
  /** Null where the checkpoint has no tokenizer.json. Its ids may go beyond the model's embedding where tokens were added and no row was. */
  readonly tokenizer: TextTokenizer | null;
  /** config.json; `tie_word_embeddings` says what the model does, see `loadPretrainedFrom`. */
  readonly config: HuggingFaceConfig;
  /** generation_config.json, for the user to read: nothing here ever does. Null where there is none. */
  readonly generationConfig: Readonly<Record<string, unknown>> | null;
}

export interface LoadPretrainedFromOptions {
  /** Bytes that the model may take; more is refused before a weight is read. Default what the backend has left, where that is known. */
  readonly maxBytes?: number;
}

/**
 * Loads a checkpoint in Hugging Face's layout: config.json, safetensors in one file or in shards, and, where there, tokenizer.json with
 * tokenizer_config.json, and generation_config.json. Tensors are read one at a time, so that the peak is the weights and one tensor.
 *
 * A config that ties the head to the embedding, beside a head that differs from it, gives an untied model, as in transformers 5.
 *
 * @param source `fetchSource(url)` or `directorySource(handle)` in a browser; in Node use `loadPretrained`.
 * @throws IlrecError when the architecture is not supported, a file is missing or damaged, tensors are missing, unexpected or of another shape, or memory does not suffice.
 */
export async function loadPretrainedFrom(
  source: FileSource,
  { maxBytes }: LoadPretrainedFromOptions = {},
): Promise<Pretrained> {
  await tf.ready(); // a backend that starts asynchronously, such as wasm, may not have been waited for
  const given = await readConfig(source);
  const family = familyOf(given, source.name);
  family.weights(given, source.name); // settings are refused before a large file is opened
  const reader = await openSafetensors(source);
  const limit = memoryLimit();
  const { config, matches } = await matchWeights(family, given, reader, source.name);
  refuseAboveMemory(
    { config, mode: 'inference' },
    { limit: { ...limit, bytes: maxBytes ?? limit.bytes }, caller: 'loadPretrained' },
  );

  const tokenizer = await readTokenizer(source);
  const generationConfig = await readOptionalJson(source, 'generation_config.json');
  const model = await buildWithWeights(family, config, matches, reader, source.name);
  return { model, tokenizer, config, generationConfig };
}

async function readConfig(source: FileSource): Promise<HuggingFaceConfig> {
  if (await source.has('config.json')) return await readJson(source, 'config.json');
  const step = (await source.has('adapter_config.json'))
    ? 'it is an adapter: load the model that it was trained on, then the adapter'
    : "give the folder, URL or id of a checkpoint in Hugging Face's layout";
  throw new IlrecError(`loadPretrained: ${source.name} must have config.json, got no such file; ${step}`);
}

async function readTokenizer(source: FileSource): Promise<TextTokenizer | null> {
  const json = await readOptionalJson(source, 'tokenizer.json');
  return json === null
    ? null
    : TextTokenizer.fromJSON(json, (await readOptionalJson(source, 'tokenizer_config.json')) ?? {});
}

async function buildWithWeights(
  family: ModelFamily,
  config: HuggingFaceConfig,
  matches: readonly WeightMatch[],
  reader: CheckpointReader,
  source: string,
): Promise<tfl.LayersModel> {
  const model = family.build(config, source);
  try {
    for (const { tensor, target } of matches) {
      const values = await reader.read(tensor, { transposed: target.transposed });
      const shape = target.transposed ? [...target.shape].reverse() : [...target.shape];
      const value = tf.tensor(values, shape);
      weightVariable(model, target).write(value);
      value.dispose();
    }
    return model;
  } catch (error) {
    disposeModel(model);
    throw error;
  }
}
