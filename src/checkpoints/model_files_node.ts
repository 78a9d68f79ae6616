import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import '../register'; // bundlers skip the import in index.ts
import { IlrecError } from '../errors';
import { writeFileAtomically, writeJsonAtomically } from '../files/atomic_file_node';

const MODEL_FILE = 'model.json';
const WEIGHTS_FILE = 'weights.bin';

/** Writes a model in the layout of tfjs, model.json and weights.bin, which `tf.loadLayersModel` reads over http or file too. */
export async function saveModel(model: tfl.LayersModel, folder: string): Promise<void> {
  const handler = tf.io.withSaveHandler(
    async ({ modelTopology, weightSpecs, weightData, format, generatedBy, convertedBy }) => {
      if (weightData === undefined || weightSpecs === undefined)
        throw new Error('saveModel: the model gave no weights');
      await writeFileAtomically(
        join(folder, WEIGHTS_FILE),
        new Uint8Array(tf.io.CompositeArrayBuffer.join(weightData)),
      );
      const manifest = [{ paths: [WEIGHTS_FILE], weights: weightSpecs }];
      await writeJsonAtomically(join(folder, MODEL_FILE), {
        format,
        generatedBy,
        convertedBy: convertedBy ?? null,
        modelTopology,
        weightsManifest: manifest,
      });
      return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
    },
  );
  await model.save(handler);
}

/** @throws IlrecError when a file is missing. */
export async function loadModel(folder: string): Promise<tfl.LayersModel> {
  const json = await readOrExplain(join(folder, MODEL_FILE)); // alone, so that an empty folder is always told by this name
  const weights = await readOrExplain(join(folder, WEIGHTS_FILE));
  const { modelTopology, weightsManifest } = JSON.parse(json.toString('utf8')) as tf.io.ModelJSON;
  const weightSpecs = weightsManifest.flatMap((group) => group.weights);
  const weightData = weights.buffer.slice(weights.byteOffset, weights.byteOffset + weights.byteLength) as ArrayBuffer;
  return await tfl.loadLayersModel(tf.io.fromMemory({ modelTopology, weightSpecs, weightData }));
}

async function readOrExplain(path: string): Promise<Buffer> {
  return await readFile(path).catch(() => {
    throw new IlrecError(
      `loadModel: ${path} must be there, got none; train the run to its end, with --resume if it was interrupted`,
    );
  });
}
