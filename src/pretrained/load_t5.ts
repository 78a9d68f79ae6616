import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { IlrecError } from '../errors';
import { type FileSource, readOptionalJson } from '../files/file_source';
import type { HuggingFaceConfig } from '../models/hugging_face_config';
import { T5, t5Config } from '../models/t5/t5_family';
import { openSafetensors } from '../safetensors/safetensors_reader';
import { buildWithWeights, readConfig } from './load_pretrained';
import { matchWeights, type UnexpectedTensorsOptions } from './match_weights';

/** A loaded T5 checkpoint. Its tokenizer, a Unigram model of SentencePiece, is not read. */
export interface PretrainedT5 {
  /** As `t5` makes it; all weights float32 and trainable. */
  readonly model: tfl.LayersModel;
  /** Content of config.json; `tie_word_embeddings` describes the loaded model. */
  readonly config: HuggingFaceConfig;
  /** Content of generation_config.json, null when there is none. This package does not use it. */
  readonly generationConfig: Readonly<Record<string, unknown>> | null;
  /** Names of the tensors that the option `ignoreUnexpected` left out. */
  readonly ignored: readonly string[];
}

/**
 * Loads a T5 checkpoint in Hugging Face's layout: T5 1.0, T5 1.1, Flan-T5 and models of the same architecture. It reads
 * config.json, safetensors in one file or in shards, and if present generation_config.json. Tensors are read one at a
 * time. Free memory is not checked before.
 *
 * When the config ties head and embedding but the checkpoint has a different head, the model gets an untied head, as in
 * transformers 5.
 *
 * @param source `fetchSource(url)` or `directorySource(handle)` in a browser; `folderSource(path)` or `hubSource(id)` in
 *   Node.
 * @param options tensors that may be left out.
 * @returns model and configs.
 * @throws IlrecError when the checkpoint is not a T5's, a setting is not supported, a file is missing or damaged, or a
 *   tensor is missing, unexpected or of another shape.
 * @example
 * ```ts
 * import { createT5Decoder, generate, loadT5From } from 'tfjs-ilrec';
 * import { folderSource } from 'tfjs-ilrec/node';
 *
 * const { model } = await loadT5From(folderSource('t5-checkpoint')); // in a browser: fetchSource(url)
 * const [[{ tokens }]] = await generate(createT5Decoder(model), [[5, 9, 7, 1]], { maxNewTokens: 3 });
 * console.log(tokens.length); // 3
 * ```
 */
export async function loadT5From(source: FileSource, options: UnexpectedTensorsOptions = {}): Promise<PretrainedT5> {
  const caller = 'loadT5From';
  await tf.ready(); // a backend such as wasm starts asynchronously
  const given = await readConfig(source, caller);
  refuseOtherModel(given, source.name);
  const { scaleLogits } = t5Config(given, source.name, caller); // refuses unsupported settings before a large file is opened
  const reader = await openSafetensors(source, caller);
  // a head that the files turn out to hold unties it, and changes nothing about the scale of its logits
  const asked = { ...given, scale_decoder_outputs: scaleLogits };
  const { config, matches, ignored } = await matchWeights(T5, asked, reader, source.name, caller, options);
  const generationConfig = await readOptionalJson(source, 'generation_config.json', caller);
  const model = await buildWithWeights(T5, config, matches, reader, source.name, caller);
  return { model, config, generationConfig, ignored };
}

function refuseOtherModel({ model_type: modelType, architectures }: HuggingFaceConfig, source: string): void {
  if (modelType !== T5.modelType)
    throw new IlrecError(
      `loadT5From: model_type in ${source}/config.json must be ${T5.modelType}, got ${JSON.stringify(modelType)}; use ` +
        'a T5 checkpoint, or loadPretrainedFrom for a causal language model',
    );
  if (Array.isArray(architectures) && architectures.length > 0 && !architectures.includes(T5.architecture))
    throw new IlrecError(
      `loadT5From: architectures in ${source}/config.json must name ${T5.architecture}, got ` +
        `${JSON.stringify(architectures)}; use the checkpoint of the whole model`,
    );
}
