import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import '../register'; // in a bundle nothing else does
import { IlrecError } from '../errors';
import { writeFileAtomically, writeJsonAtomically } from '../files/atomic_file_node';

const MODEL_FILE = 'model.json';
const WEIGHTS_FILE = 'weights.bin';

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
  const handler = tf.io.withSaveHandler(
    async ({ modelTopology, weightSpecs, weightData, format, generatedBy, convertedBy }) => {
      if (weightData === undefined || weightSpecs === undefined)
        throw new Error('saveModel: the model gave no weights');
      await writeFileAtomically(
        join(folder, WEIGHTS_FILE),
        new Uint8Array(tf.io.CompositeArrayBuffer.join(weightData)),
        'saveModel',
      );
      const manifest = [{ paths: [WEIGHTS_FILE], weights: weightSpecs }];
      const json = {
        format,
        generatedBy,
        convertedBy: convertedBy ?? null,
        modelTopology,
        weightsManifest: manifest,
      };
      await writeJsonAtomically(join(folder, MODEL_FILE), json, 'saveModel');
      return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
    },
  );
  await model.save(handler);
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
  const { modelTopology, weightsManifest } = parseModelJson(json.toString('utf8'), folder);
  const weightSpecs = weightsManifest.flatMap((group) => group.weights);
  const weightData = weights.buffer.slice(weights.byteOffset, weights.byteOffset + weights.byteLength) as ArrayBuffer;
  const needed = weightSpecs.reduce((sum, { shape }) => sum + 4 * tf.util.sizeFromShape(shape), 0); // float32 and int32
  if (weightData.byteLength < needed)
    throw new IlrecError(
      `loadModel: ${join(folder, WEIGHTS_FILE)} must have ${needed} bytes, got ${weightData.byteLength}; use ` +
        'another copy of it',
    );
  return await tfl.loadLayersModel(tf.io.fromMemory({ modelTopology, weightSpecs, weightData }));
}

function parseModelJson(text: string, folder: string): tf.io.ModelJSON {
  try {
    const json = JSON.parse(text) as tf.io.ModelJSON;
    if (Array.isArray(json.weightsManifest)) return json;
  } catch {
    // the same error as for JSON without weights
  }
  throw new IlrecError(
    `loadModel: ${join(folder, MODEL_FILE)} must be a tfjs model with weights, got ` +
      `"${text.slice(0, 40).replace(/\s+/g, ' ')}"; use another copy of it`,
  );
}

async function readOrExplain(path: string): Promise<Buffer> {
  return await readFile(path).catch(() => {
    throw new IlrecError(
      `loadModel: ${path} must exist, got no such file; finish the training, with --resume if it was interrupted`,
    );
  });
}
