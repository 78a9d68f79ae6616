import { stat } from 'node:fs/promises';
import { fetchSource } from '../files/fetch_source';
import type { FileSource } from '../files/file_source';
import { folderSource } from '../files/folder_source_node';
import { IlrecError } from '../errors';
import { type HubOptions, hubSource, isHubId } from './hub_node';
import { loadPretrainedFrom, type LoadPretrainedFromOptions, type Pretrained } from './load_pretrained';
import { nodeMemoryLimit } from './memory_limit_node';

export interface LoadPretrainedOptions extends LoadPretrainedFromOptions, HubOptions {}

/**
 * Loads a checkpoint in Hugging Face's layout; see `loadPretrainedFrom`.
 *
 * @param location a folder; else the id of a model on the hub, `owner/name`, which is downloaded into the hub's cache; or a URL of a folder.
 * @throws IlrecError as `loadPretrainedFrom`, and when there is no such folder or model.
 */
export async function loadPretrained(location: string, options: LoadPretrainedOptions = {}): Promise<Pretrained> {
  return await loadPretrainedFrom(await sourceOf(location, options), {
    maxBytes: options.maxBytes ?? nodeMemoryLimit().bytes,
  });
}

/** The files behind a folder, a hub's id or a URL. */
export async function sourceOf(location: string, options: HubOptions = {}): Promise<FileSource> {
  const found = await stat(location).catch(() => null);
  if (found?.isDirectory()) return folderSource(location);
  if (/^https?:\/\//.test(location))
    return fetchSource(
      location,
      options.token === undefined ? {} : { headers: { authorization: `Bearer ${options.token}` } },
    );
  if (found !== null || !isHubId(location)) {
    throw new IlrecError(
      `loadPretrained: location must be a folder, a URL or a hub id such as "owner/name", got ${found === null ? 'no folder at' : 'the file'} ${location}; check the path`,
    );
  }
  return await hubSource(location, options);
}
