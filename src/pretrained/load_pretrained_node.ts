import { stat } from 'node:fs/promises';
import { fetchSource } from '../files/fetch_source';
import type { FileSource } from '../files/file_source';
import { folderSource } from '../files/folder_source_node';
import { IlrecError } from '../errors';
import { type HubOptions, hubSource, isHubId } from './hub_node';
import { loadPretrainedFrom, type LoadPretrainedFromOptions, type Pretrained } from './load_pretrained';
import { nodeMemoryLimit } from './memory_limit_node';

/** Options of `loadPretrained`. */
export interface LoadPretrainedOptions extends LoadPretrainedFromOptions, HubOptions {}

/**
 * Loads a checkpoint in Hugging Face's layout from a folder, from Hugging Face's hub or from a URL. See
 * `loadPretrainedFrom` for the files.
 *
 * @param location a folder; or the id of a model on the hub, `owner/name`, which is downloaded into the hub's cache; or
 * the URL of a folder.
 * @param options the memory limit, tensors that may be left out, and settings of the hub.
 * @returns model, tokenizer and configs.
 * @throws IlrecError when there is no such folder or model, the hub cannot be reached, the architecture is not
 * supported, a file is missing or damaged, a tensor is missing, unexpected or of another shape, or memory does not
 * suffice.
 * @example
 * ```ts
 * import { loadPretrained } from 'tfjs-ilrec/node';
 *
 * const { model, config } = await loadPretrained('checkpoint'); // or a hub id such as 'HuggingFaceTB/SmolLM2-135M'
 * console.log(config.model_type, model.outputs[0].shape.length); // llama 3
 * ```
 */
export async function loadPretrained(location: string, options: LoadPretrainedOptions = {}): Promise<Pretrained> {
  const { maxBytes = nodeMemoryLimit().bytes, ignoreUnexpected } = options;
  const source = await sourceOf(location, options);
  return await loadPretrainedFrom(source, { maxBytes, ignoreUnexpected }, 'loadPretrained');
}

/** The files of a folder, a hub id or a URL. */
export async function sourceOf(location: string, options: HubOptions = {}): Promise<FileSource> {
  if (typeof location !== 'string')
    throw new IlrecError(
      `loadPretrained: location must be a folder, a URL or a hub id such as "owner/name", got ${String(location)}`,
    );
  const found = await stat(location).catch(() => null);
  if (found?.isDirectory()) return folderSource(location);
  if (/^https?:\/\//.test(location))
    return fetchSource(
      location,
      options.token === undefined ? {} : { headers: { authorization: `Bearer ${options.token}` } },
    );
  if (found !== null || !isHubId(location)) {
    throw new IlrecError(
      'loadPretrained: location must be a folder, a URL or a hub id such as "owner/name", got ' +
        `${found === null ? 'no folder at' : 'the file'} ${location}; check the path`,
    );
  }
  return await hubSource(location, options, 'loadPretrained');
}
