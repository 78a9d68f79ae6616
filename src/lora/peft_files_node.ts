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

export interface SaveAdapterOptions {
  /** Folder or hub id of the base model, for those who load the adapter in Python. Default none. */
  baseModel?: string;
}

/**
 * Writes an adapter as Hugging Face's peft does: `adapter_config.json` and `adapter_model.safetensors`, in float32; other files of the folder stay.
 *
 * @throws IlrecError where `trainModules` names a whole block.
 */
export async function saveAdapter(
  adapter: LoraAdapter,
  folder: string,
  { baseModel }: SaveAdapterOptions = {},
): Promise<void> {
  const { config, file } = await encodeAdapter(adapter, baseModel ?? null);
  await writeFileAtomically(join(folder, ADAPTER_WEIGHTS), encodeSafetensors(file));
  await writeJsonAtomically(join(folder, ADAPTER_CONFIG), config);
}

/**
 * Reads an adapter from a folder that peft or `saveAdapter` wrote, puts it on the model and makes it the active one.
 *
 * @throws IlrecError as `loadAdapterFrom` does.
 */
export async function loadAdapter(
  model: tfl.LayersModel,
  folder: string,
  options: LoadAdapterOptions = {},
): Promise<LoraAdapter> {
  return await loadAdapterFrom(model, folderSource(folder), options);
}
