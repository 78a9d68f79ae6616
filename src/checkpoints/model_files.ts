import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import '../register'; // in a bundle nothing else does
import { IlrecError } from '../errors';

/** A model in tfjs's layout, which `tf.loadLayersModel` can read over http. */
export const MODEL_FILE = 'model.json';
export const WEIGHTS_FILE = 'weights.bin';

/** The contents of the two files of a model. */
export interface ModelFiles {
  readonly json: object;
  readonly weights: Uint8Array;
}

/** @param caller the public function that errors name. */
export async function encodeModel(model: tfl.LayersModel, caller: string): Promise<ModelFiles> {
  const files: ModelFiles[] = [];
  const handler = tf.io.withSaveHandler(
    async ({ modelTopology, weightSpecs, weightData, format, generatedBy, convertedBy }) => {
      if (weightData === undefined || weightSpecs === undefined)
        throw new Error(`${caller}: the model gave no weights`);
      files.push({
        weights: new Uint8Array(tf.io.CompositeArrayBuffer.join(weightData)),
        json: {
          format,
          generatedBy,
          convertedBy: convertedBy ?? null,
          modelTopology,
          weightsManifest: [{ paths: [WEIGHTS_FILE], weights: weightSpecs }],
        },
      });
      return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
    },
  );
  await model.save(handler);
  return files[0];
}

/**
 * Reads the contents of the files of a model.
 *
 * @param where says in errors where they lie: `${where}/model.json`.
 * @throws IlrecError when one is damaged.
 */
export async function decodeModel(
  text: string,
  weights: Uint8Array,
  where: string,
  caller: string,
): Promise<tfl.LayersModel> {
  const { modelTopology, weightsManifest } = parseModelJson(text, where, caller);
  const weightSpecs = weightsManifest.flatMap((group) => group.weights);
  const weightData = weights.buffer.slice(weights.byteOffset, weights.byteOffset + weights.byteLength) as ArrayBuffer;
  const needed = weightSpecs.reduce((sum, { shape }) => sum + 4 * tf.util.sizeFromShape(shape), 0); // float32 and int32
  if (weightData.byteLength < needed)
    throw new IlrecError(
      `${caller}: ${where}/${WEIGHTS_FILE} must have ${needed} bytes, got ${weightData.byteLength}; use ` +
        'another copy of it',
    );
  return await tfl.loadLayersModel(tf.io.fromMemory({ modelTopology, weightSpecs, weightData }));
}

function parseModelJson(text: string, where: string, caller: string): tf.io.ModelJSON {
  try {
    const json = JSON.parse(text) as tf.io.ModelJSON;
    if (Array.isArray(json.weightsManifest)) return json;
  } catch {
    // the same error as for JSON without weights
  }
  throw new IlrecError(
    `${caller}: ${where}/${MODEL_FILE} must be a tfjs model with weights, got ` +
      `"${text.slice(0, 40).replace(/\s+/g, ' ')}"; use another copy of it`,
  );
}
