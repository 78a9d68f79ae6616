import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type * as tfl from '@tensorflow/tfjs-layers';
import { writeJsonAtomically } from '../files/atomic_file_node';
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

export interface SavePretrainedOptions {
  readonly model: tfl.LayersModel;
  /** The config that the model was loaded with; `vocab_size` is taken from the model. */
  readonly config: HuggingFaceConfig;
  /** Default none. */
  readonly tokenizer?: TextTokenizer | null;
  /** Default none. */
  readonly generationConfig?: Readonly<Record<string, unknown>> | null;
  /** Type of the written weights. F16 and BF16 round to the nearest. Default 'F32'. */
  readonly dtype?: WrittenType;
  /** Bytes of weights in one file. Default 5e9. */
  readonly maxShardBytes?: number;
}

const DTYPE_NAMES: Readonly<Record<WrittenType, string>> = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' };
/** Names that an earlier checkpoint in the folder may have. */
const OWN_FILE =
  /^(config|generation_config|tokenizer|tokenizer_config|model\.safetensors\.index)\.json$|^model(-\d+-of-\d+)?\.safetensors$/;

/**
 * Writes a checkpoint that transformers loads with equal logits: config.json, safetensors, and tokenizer and generation config where given. The folder
 * is written aside and renamed. Adapters must be merged before.
 *
 * @param folder a new or empty folder, or one that holds an earlier checkpoint and nothing else.
 * @throws IlrecError when the config describes another model, an adapter is not merged, a value is beyond float16's range, or the folder holds other files.
 */
export async function savePretrained(
  folder: string,
  {
    model,
    config,
    tokenizer = null,
    generationConfig = null,
    dtype = 'F32',
    maxShardBytes = 5e9,
  }: SavePretrainedOptions,
): Promise<void> {
  if (!(dtype in DTYPE_NAMES))
    throw new IlrecError(
      `savePretrained: dtype must be one of ${Object.keys(DTYPE_NAMES).join(', ')}, got ${String(dtype)}`,
    );
  if (!(maxShardBytes > 0)) throw new IlrecError(`savePretrained: maxShardBytes must be above 0, got ${maxShardBytes}`);
  await refuseOtherFiles(folder);
  const family = familyOf(config, folder);
  const embedding = model.layers.find(({ name }) => name === 'embed_tokens')?.weights[0]?.shape;
  const written = {
    ...config,
    ...(embedding === undefined ? {} : { vocab_size: embedding[0] }),
    architectures: [family.architecture],
    ['dtype' in config ? 'dtype' : 'torch_dtype']: DTYPE_NAMES[dtype],
  };
  const targets = family.weights(written, folder);
  refuseOtherModel(model, targets);

  await replaceFolder(folder, async (aside) => {
    const tensors = targets.map((target) => ({
      name: target.name,
      shape: target.shape,
      read: () => valuesOf(model, target, dtype),
    }));
    await writeSafetensors(aside, tensors, { dtype, maxShardBytes });
    await writeJsonAtomically(join(aside, 'config.json'), written);
    if (generationConfig !== null) await writeJsonAtomically(join(aside, 'generation_config.json'), generationConfig);
    if (tokenizer !== null) {
      const json = tokenizer.toJSON();
      await writeJsonAtomically(join(aside, 'tokenizer.json'), json.tokenizer);
      await writeJsonAtomically(join(aside, 'tokenizer_config.json'), json.config);
    }
  });
}

/** Values of a weight as the checkpoint lays them out. */
async function valuesOf(model: tfl.LayersModel, target: CheckpointWeight, dtype: WrittenType): Promise<Float32Array> {
  const data = (await weightVariable(model, target).read().data()) as Float32Array;
  if (dtype === 'F16') {
    const beyond = data.find((value) => Number.isFinite(value) && Math.abs(value) > MAX_FLOAT16);
    if (beyond !== undefined)
      throw new IlrecError(
        `savePretrained: float16 holds values up to ${MAX_FLOAT16}, got ${beyond} in "${target.name}"; use dtype 'BF16' or 'F32'`,
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
      `savePretrained: adapters must be merged into the weights or removed, got an active one on "${adapted.name}"; call its merge(), or write it alone with saveAdapter`,
    );
  const extra = [...found.keys()].find((path) => !expected.has(path));
  if (extra !== undefined)
    throw new IlrecError(
      `savePretrained: config must describe every weight of the model, got none that has "${extra}"; use the config that the model was loaded with`,
    );
  for (const [path, { shape, transposed }] of expected) {
    const own = found.get(path);
    const wanted = transposed ? [...shape].reverse() : shape;
    if (own === undefined)
      throw new IlrecError(
        `savePretrained: the model must have the weights that config describes, got no "${path}"; use the config that the model was loaded with`,
      );
    if (own.join() !== wanted.join())
      throw new IlrecError(
        `savePretrained: config says that "${path}" is [${wanted.join(', ')}], got [${own.join(', ')}] in the model; use the config that the model was loaded with`,
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
      `savePretrained: ${folder} must be new, empty or an earlier checkpoint, got a folder that holds ${other}; choose another one`,
    );
}
