import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type * as tfl from '@tensorflow/tfjs-layers';
import { unwritable, writeJsonAtomically } from '../files/atomic_file_node';
import { replaceFolder } from '../files/replace_folder_node';
import { MAX_FLOAT16, type WrittenType } from '../safetensors/safetensors_types';
import { writeSafetensors } from '../safetensors/safetensors_writer_node';
import { transposeRows } from '../safetensors/transpose_rows';
import { IlrecError } from '../errors';
import { familyOf } from '../models/families';
import type { CheckpointWeight } from '../models/model_family';
import type { HuggingFaceConfig } from '../models/hugging_face_config';
import type { TextTokenizer } from '../tokenizers/text_tokenizer';
import { weightVariable } from './weight_variable';

/** Options of `savePretrained`. */
export interface SavePretrainedOptions {
  /** A model of `loadPretrained`, `causalLM` or `gpt2`; adapters must be merged. */
  readonly model: tfl.LayersModel;
  /**
   * The config that the model was loaded with, or `llamaConfigJson(config)` for a model of `causalLM`. `vocab_size` is
   * taken from the model.
   */
  readonly config: HuggingFaceConfig;
  /** Written as tokenizer.json and tokenizer_config.json, with the chat template in the latter. Default none. */
  readonly tokenizer?: TextTokenizer | null;
  /** Written as generation_config.json. Default none. */
  readonly generationConfig?: Readonly<Record<string, unknown>> | null;
  /** Type of the weights in the file. F16 and BF16 round to the nearest. Default 'F32'. */
  readonly dtype?: WrittenType;
  /** Most bytes of weights in one file, above 0. Default 5e9. */
  readonly maxShardBytes?: number;
}

const DTYPE_NAMES: Readonly<Record<WrittenType, string>> = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' };
/** File names of an earlier checkpoint. */
const OWN_FILE =
  /^(config|generation_config|tokenizer|tokenizer_config|model\.safetensors\.index)\.json$|^model(-\d+-of-\d+)?\.safetensors$/;

/**
 * Writes a checkpoint that transformers loads with equal logits: config.json, safetensors, and if given tokenizer and
 * generation config. It writes a temporary folder and renames it, so that an interrupted call leaves the old one.
 *
 * @param folder a new or empty folder, or one with an earlier checkpoint and nothing else.
 * @param options the model, its config, and what else to write.
 * @throws IlrecError when the config describes another model, an adapter is not merged, a value exceeds float16's
 * range, an option is out of range, or the folder has other files or is not writable.
 * @example
 * ```ts
 * import { causalLM, llamaConfigJson } from 'tfjs-ilrec';
 * import { loadPretrained, savePretrained } from 'tfjs-ilrec/node';
 *
 * const config = { vocabSize: 100, hiddenSize: 8, numHiddenLayers: 1 };
 * await savePretrained('my-checkpoint', { model: causalLM(config), config: llamaConfigJson(config) });
 * console.log((await loadPretrained('my-checkpoint')).config.hidden_size); // 8
 * ```
 */
export async function savePretrained(folder: string, options: SavePretrainedOptions): Promise<void> {
  const {
    model,
    config,
    tokenizer = null,
    generationConfig = null,
    dtype = 'F32',
    maxShardBytes = 5e9,
  } = options ?? {};
  if (model == null || config == null)
    throw new IlrecError('savePretrained: model and config must be given, got none; use those of loadPretrained');
  if (!Object.hasOwn(DTYPE_NAMES, dtype))
    throw new IlrecError(
      `savePretrained: dtype must be one of ${Object.keys(DTYPE_NAMES).join(', ')}, got ${String(dtype)}`,
    );
  if (!(maxShardBytes > 0)) throw new IlrecError(`savePretrained: maxShardBytes must be above 0, got ${maxShardBytes}`);
  await refuseOtherFiles(folder);
  const family = familyOf(config, folder, 'savePretrained');
  const embedding = model.layers.find(({ name }) => name === 'embed_tokens')?.weights[0]?.shape;
  const written = {
    ...config,
    ...(embedding === undefined ? {} : { vocab_size: embedding[0] }),
    architectures: [family.architecture],
    ['dtype' in config ? 'dtype' : 'torch_dtype']: DTYPE_NAMES[dtype],
  };
  const targets = family.weights(written, folder, 'savePretrained');
  refuseOtherModel(model, targets);

  const write = async (temporary: string): Promise<void> => {
    const tensors = targets.map((target) => ({
      name: target.name,
      shape: target.shape,
      read: () => valuesOf(model, target, dtype),
    }));
    await writeSafetensors(temporary, tensors, { dtype, maxShardBytes });
    const writeJson = async (name: string, value: unknown): Promise<void> =>
      await writeJsonAtomically(join(temporary, name), value, 'savePretrained');
    await writeJson('config.json', written);
    if (generationConfig !== null) await writeJson('generation_config.json', generationConfig);
    if (tokenizer !== null) {
      const json = tokenizer.toJSON();
      await writeJson('tokenizer.json', json.tokenizer);
      await writeJson('tokenizer_config.json', json.config);
    }
  };
  await replaceFolder(folder, write).catch((error: unknown) => {
    throw unwritable(folder, error, 'savePretrained');
  });
}

/** Values of a weight in the layout of the checkpoint. */
async function valuesOf(model: tfl.LayersModel, target: CheckpointWeight, dtype: WrittenType): Promise<Float32Array> {
  const data = (await weightVariable(model, target).read().data()) as Float32Array;
  if (dtype === 'F16') {
    const beyond = data.find((value) => Number.isFinite(value) && Math.abs(value) > MAX_FLOAT16);
    if (beyond !== undefined)
      throw new IlrecError(
        `savePretrained: float16 holds values up to ${MAX_FLOAT16}, got ${beyond} in "${target.name}"; use dtype ` +
          "'BF16' or 'F32'",
      );
  }
  if (!target.transposed) return data;
  const [outputs, inputs] = target.shape; // the model holds [inputs, outputs]
  const transposed = new Float32Array(data.length);
  transposeRows(data, outputs, transposed, inputs);
  return transposed;
}

function refuseOtherModel(model: tfl.LayersModel, targets: readonly CheckpointWeight[]): void {
  const expected = new Map(targets.map((target) => [`${target.layer}/${target.weight}`, target]));
  const found = new Map(
    model.layers.flatMap(({ weights }) => weights.map((weight) => [weight.originalName, weight.shape] as const)),
  );
  const adapted = model.layers.find((layer) => 'projectionDelta' in layer && layer.projectionDelta !== null);
  if (adapted !== undefined)
    throw new IlrecError(
      'savePretrained: adapters must be merged into the weights or removed, got an active one on ' +
        `"${adapted.name}"; call its merge(), or write it alone with saveAdapter`,
    );
  const extra = [...found.keys()].find((path) => !expected.has(path));
  if (extra !== undefined)
    throw new IlrecError(
      `savePretrained: config must describe every weight of the model, got one without "${extra}"; use the ` +
        'config that the model was loaded with',
    );
  for (const [path, { shape, transposed }] of expected) {
    const own = found.get(path);
    const wanted = transposed ? [...shape].reverse() : shape;
    if (own === undefined)
      throw new IlrecError(
        `savePretrained: the model must have the weights that config describes, got no "${path}"; use the config ` +
          'that the model was loaded with',
      );
    if (own.join() !== wanted.join())
      throw new IlrecError(
        `savePretrained: config says that "${path}" is [${wanted.join(', ')}], got [${own.join(', ')}] in the ` +
          'model; use the config that the model was loaded with',
      );
  }
}

async function refuseOtherFiles(folder: string): Promise<void> {
  const found = await stat(folder).catch(() => null);
  if (found === null) return;
  if (!found.isDirectory())
    throw new IlrecError(`savePretrained: ${folder} must be a folder, got a file; choose another name`);
  const names = await readdir(folder);
  const other = names.find((name) => !OWN_FILE.test(name));
  if (other !== undefined)
    throw new IlrecError(
      `savePretrained: ${folder} must be new, empty or an earlier checkpoint, got a folder with ${other}; choose ` +
        'another one',
    );
}
