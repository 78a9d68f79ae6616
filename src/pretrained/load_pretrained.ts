import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import '../register'; // in a bundle nothing else does
import { type FileSource, readJson, readOptionalJson, refuseLfsPointer } from '../files/file_source';
import { type CheckpointReader, openSafetensors } from '../safetensors/safetensors_reader';
import { IlrecError } from '../errors';
import { familyOf } from '../models/families';
import type { ModelFamily } from '../models/model_family';
import type { HuggingFaceConfig } from '../models/hugging_face_config';
import { TextTokenizer } from '../tokenizers/text_tokenizer';
import { disposeModel } from '../models/dispose_model';
import { matchWeights, type UnexpectedTensorsOptions, type WeightMatch } from './match_weights';
import { memoryLimit } from './memory_limit';
import { refuseAboveMemory } from './refuse_above_memory';
import { weightVariable } from './weight_variable';

/** The file in which newer checkpoints keep the chat template. */
const CHAT_TEMPLATE = 'chat_template.jinja';

/** A loaded checkpoint. */
export interface Pretrained {
  /** Token ids int32 [B, T] to logits [B, T, V]; all weights float32 and trainable. */
  readonly model: tfl.LayersModel;
  /**
   * Null when the checkpoint has no tokenizer.json. It keeps the chat template, which this package does not use. It may have more tokens than the embedding has rows: see
   * `resizeTokenEmbeddings`.
   */
  readonly tokenizer: TextTokenizer | null;
  /** Content of config.json; `tie_word_embeddings` describes the loaded model, see `loadPretrainedFrom`. */
  readonly config: HuggingFaceConfig;
  /** Content of generation_config.json, null when there is none. This package does not use it. */
  readonly generationConfig: Readonly<Record<string, unknown>> | null;
  /** Names of the tensors that the option `ignoreUnexpected` left out. */
  readonly ignored: readonly string[];
}

/** Options of `loadPretrainedFrom`. */
export interface LoadPretrainedFromOptions extends UnexpectedTensorsOptions {
  /**
   * Most bytes of the model; a larger one is refused before a weight is read. Default the backend's free memory, if
   * known.
   */
  readonly maxBytes?: number;
}

/**
 * Loads a checkpoint in Hugging Face's layout: config.json, safetensors in one file or in shards, and if present
 * tokenizer.json, tokenizer_config.json, chat_template.jinja and generation_config.json. Tensors are read one at a time: the peak is the
 * weights plus one tensor.
 *
 * When the config ties head and embedding but the checkpoint has a different head, the model gets an untied head, as in
 * transformers 5.
 *
 * @param source `fetchSource(url)` or `directorySource(handle)` in a browser; in Node prefer `loadPretrained`.
 * @param options the memory limit, and tensors that may be left out.
 * @param caller the function that error messages name. Default 'loadPretrainedFrom'.
 * @returns model, tokenizer and configs.
 * @throws IlrecError when the architecture is not supported, a file is missing or damaged, a tensor is missing,
 * unexpected or of another shape, or memory does not suffice.
 * @example
 * ```ts
 * import { loadPretrainedFrom } from 'tfjs-ilrec';
 * import { folderSource } from 'tfjs-ilrec/node';
 *
 * const source = folderSource('checkpoint'); // in a browser: fetchSource(url)
 * const { model, tokenizer, config } = await loadPretrainedFrom(source);
 * console.log(config.model_type, model.outputs[0].shape.length, tokenizer !== null); // llama 3 true
 * ```
 */
export async function loadPretrainedFrom(
  source: FileSource,
  { maxBytes, ignoreUnexpected }: LoadPretrainedFromOptions = {},
  caller = 'loadPretrainedFrom',
): Promise<Pretrained> {
  await tf.ready(); // a backend such as wasm starts asynchronously
  const given = await readConfig(source, caller);
  const family = familyOf(given, source.name, caller);
  family.weights(given, source.name, caller); // refuses unsupported settings before a large file is opened
  const reader = await openSafetensors(source, caller);
  const limit = memoryLimit();
  const unexpected = { ignoreUnexpected };
  const { config, matches, ignored } = await matchWeights(family, given, reader, source.name, caller, unexpected);
  refuseAboveMemory({ config, mode: 'inference' }, { limit: { ...limit, bytes: maxBytes ?? limit.bytes }, caller });

  const tokenizer = await readTokenizer(source, caller);
  const generationConfig = await readOptionalJson(source, 'generation_config.json', caller);
  const model = await buildWithWeights(family, config, matches, reader, source.name, caller);
  return { model, tokenizer, config, generationConfig, ignored };
}

/** The content of config.json. */
export async function readConfig(source: FileSource, caller: string): Promise<HuggingFaceConfig> {
  if (await source.has('config.json')) return await readJson(source, 'config.json', caller);
  const step = (await source.has('adapter_config.json'))
    ? 'it is an adapter: load its base model first, then the adapter with loadAdapter'
    : "give the folder, URL or id of a checkpoint in Hugging Face's layout";
  throw new IlrecError(`${caller}: ${source.name} must have config.json, got no such file; ${step}`);
}

/** The tokenizer; `chat_template.jinja` replaces the chat template of its config, as in transformers. */
async function readTokenizer(source: FileSource, caller: string): Promise<TextTokenizer | null> {
  const json = await readOptionalJson(source, 'tokenizer.json', caller);
  if (json === null) return null;
  const config = (await readOptionalJson(source, 'tokenizer_config.json', caller)) ?? {};
  if (!(await source.has(CHAT_TEMPLATE))) return TextTokenizer.fromJSON(json, config);
  const bytes = await source.read(CHAT_TEMPLATE);
  refuseLfsPointer(bytes, source.name, CHAT_TEMPLATE, caller);
  return TextTokenizer.fromJSON(json, { ...config, chat_template: new TextDecoder().decode(bytes) });
}

/** Builds the model and reads its weights, one tensor at a time. */
export async function buildWithWeights(
  family: ModelFamily,
  config: HuggingFaceConfig,
  matches: readonly WeightMatch[],
  reader: CheckpointReader,
  source: string,
  caller: string,
): Promise<tfl.LayersModel> {
  const model = family.build(config, source, caller);
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
