import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type * as tfl from '@tensorflow/tfjs-layers';
import { IlrecError } from '../errors';
import { writeFileAtomically, writeJsonAtomically } from '../files/atomic_file_node';
import { decodeModel, encodeModel, MODEL_FILE, WEIGHTS_FILE } from './model_files';

/**
 * Saves a model in tfjs's layout, model.json and weights.bin, which `tf.loadLayersModel` can read over http.
 *
 * @param model any LayersModel.
 * @param folder path of the folder; created if necessary.
 * @throws IlrecError when the folder is not writable.
 * @example
 * ```ts
 * import { causalLM } from 'tfjs-ilrec';
 * import { loadModel, saveModel } from 'tfjs-ilrec/node';
 *
 * await saveModel(causalLM({ vocabSize: 7, hiddenSize: 8, numHiddenLayers: 1 }), 'saved-model');
 * console.log((await loadModel('saved-model')).name); // causal_lm
 * ```
 */
export async function saveModel(model: tfl.LayersModel, folder: string): Promise<void> {
  const { json, weights } = await encodeModel(model, 'saveModel');
  await writeFileAtomically(join(folder, WEIGHTS_FILE), weights, 'saveModel');
  await writeJsonAtomically(join(folder, MODEL_FILE), json, 'saveModel');
}

/**
 * Loads a model that `saveModel` wrote.
 *
 * @param folder path of the folder.
 * @returns the model, not compiled.
 * @throws IlrecError when a file is missing or damaged.
 * @example
 * ```ts
 * import { causalLM } from 'tfjs-ilrec';
 * import { loadModel, saveModel } from 'tfjs-ilrec/node';
 *
 * await saveModel(causalLM({ vocabSize: 7, hiddenSize: 8, numHiddenLayers: 1 }), 'saved-model');
 * console.log((await loadModel('saved-model')).outputs[0].shape); // [ null, null, 7 ]
 * ```
 */
export async function loadModel(folder: string): Promise<tfl.LayersModel> {
  // before the weights, so that an empty folder always gives this file's name
  const json = await readOrExplain(join(folder, MODEL_FILE));
  const weights = await readOrExplain(join(folder, WEIGHTS_FILE));
  return await decodeModel(json.toString('utf8'), weights, folder, 'loadModel');
}

async function readOrExplain(path: string): Promise<Buffer> {
  return await readFile(path).catch(() => {
    throw new IlrecError(
      `loadModel: ${path} must exist, got no such file; finish the training, with --resume if it was interrupted`,
    );
  });
}
