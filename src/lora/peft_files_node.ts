import { join } from 'node:path';
import type * as tfl from '@tensorflow/tfjs-layers';
import { writeFileAtomically, writeJsonAtomically } from '../files/atomic_file_node';
import { folderSource } from '../files/folder_source_node';
import { encodeSafetensors } from '../safetensors/safetensors';
import type { LoraAdapter } from './lora_adapter';
import {
  ADAPTER_CONFIG,
  ADAPTER_WEIGHTS,
  encodeAdapter,
  loadAdapterFrom,
  type LoadAdapterOptions,
} from './peft_format';

/** Options of `saveAdapter`. */
export interface SaveAdapterOptions {
  /** Folder or hub id of the base model, used when the adapter is loaded in Python. Default none. */
  baseModel?: string;
}

/**
 * Writes an adapter in the format of Hugging Face's peft: `adapter_config.json` and `adapter_model.safetensors`, in
 * float32. Other files in the folder stay.
 *
 * @param adapter an adapter of `addLora` or `loadAdapter`.
 * @param folder path of the folder; created if necessary.
 * @param options the base model's name.
 * @throws IlrecError when the adapter was removed, `trainModules` names a whole block, or the folder is not writable.
 * @example
 * ```ts
 * import { readdir } from 'node:fs/promises';
 * import { addLora, causalLM } from 'tfjs-ilrec';
 * import { saveAdapter } from 'tfjs-ilrec/node';
 *
 * const model = causalLM({ vocabSize: 100, hiddenSize: 8, numHiddenLayers: 2 });
 * await saveAdapter(addLora(model, { targets: 'q_proj', rank: 2 }), 'my-adapter');
 * console.log((await readdir('my-adapter')).sort()); // [ 'adapter_config.json', 'adapter_model.safetensors' ]
 * ```
 */
export async function saveAdapter(
  adapter: LoraAdapter,
  folder: string,
  { baseModel }: SaveAdapterOptions = {},
): Promise<void> {
  const { config, file } = await encodeAdapter(adapter, baseModel ?? null, 'saveAdapter');
  await writeFileAtomically(join(folder, ADAPTER_WEIGHTS), encodeSafetensors(file), 'saveAdapter');
  await writeJsonAtomically(join(folder, ADAPTER_CONFIG), config, 'saveAdapter');
}

/**
 * Loads an adapter from a folder that peft or `saveAdapter` wrote, adds it to the model and activates it. Call
 * `compile` afterwards to train it.
 *
 * @param model the base model that the adapter was trained on.
 * @param folder path of the folder.
 * @param options name, and whether it can be trained.
 * @returns the adapter.
 * @throws IlrecError when a file is missing or damaged, it is another kind of adapter or has a setting that is not
 * supported, a tensor is missing, unknown or of another shape, or the name is taken.
 * @example
 * ```ts
 * import { addLora, causalLM } from 'tfjs-ilrec';
 * import { loadAdapter, saveAdapter } from 'tfjs-ilrec/node';
 *
 * const build = () => causalLM({ vocabSize: 100, hiddenSize: 8, numHiddenLayers: 2, seed: 1 });
 * await saveAdapter(addLora(build(), { targets: 'q_proj', rank: 2 }), 'my-adapter');
 * const adapter = await loadAdapter(build(), 'my-adapter', { name: 'shop' });
 * console.log(adapter.name, adapter.config.rank, adapter.active); // shop 2 true
 * ```
 */
export async function loadAdapter(
  model: tfl.LayersModel,
  folder: string,
  options: LoadAdapterOptions = {},
): Promise<LoraAdapter> {
  return await loadAdapterFrom(model, folderSource(folder), options, 'loadAdapter');
}
