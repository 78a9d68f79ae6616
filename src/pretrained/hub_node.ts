import { readFile, stat, writeFile, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { getHFHubCachePath, getRepoFolderName, modelInfo } from '@huggingface/hub';
import { type FileSource, readJson } from '../files/file_source';
import { folderSource } from '../files/folder_source_node';
import { SAFETENSORS_FILE, SAFETENSORS_INDEX, shardsOf } from '../safetensors/safetensors_reader';
import { IlrecError } from '../errors';
import { downloadToCache, type HubOptions } from './hub_download_node';

export type { HubOptions } from './hub_download_node';

/**
 * Files of a checkpoint beside its weights. The weights are downloaded last, so that a cache with weights also has
 * these.
 */
const SMALL_FILES = [
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'chat_template.jinja',
];
const COMMIT = /^[0-9a-f]{40}$/;

/** Whether a text looks like a hub id: `owner/name`, or `name` alone for the oldest models. */
export function isHubId(text: string): boolean {
  return /^[A-Za-z0-9][\w.-]*(\/[A-Za-z0-9][\w.-]*)?$/.test(text) && !text.includes('..');
}

/**
 * Downloads a checkpoint from Hugging Face's hub into its cache and opens it as a source of files.
 *
 * A commit that is completely in the cache is not requested again. A branch or tag is looked up on the hub; when the
 * hub cannot be reached, or HF_HUB_OFFLINE is 1, the cached copy of the branch is used. Interrupted downloads resume.
 *
 * @param id `owner/name`.
 * @param options revision, token, cache folder, hub and progress.
 * @param caller the function that error messages name. Default 'hubSource'.
 * @returns the files of the checkpoint.
 * @throws IlrecError when the token or the revision is malformed, the hub refuses, or it cannot be reached and the
 * cache has no complete copy.
 * @example
 * ```ts
 * import { hubSource } from 'tfjs-ilrec/node';
 *
 * process.env.HF_HUB_OFFLINE = '1'; // use the cache only
 * const loading = hubSource('HuggingFaceTB/SmolLM2-135M', { cacheDir: 'empty-cache' });
 * console.log(await loading.catch((error) => error.name)); // IlrecError
 * ```
 */
export async function hubSource(id: string, options: HubOptions = {}, caller = 'hubSource'): Promise<FileSource> {
  const {
    revision = 'main',
    token = process.env.HF_TOKEN || undefined,
    endpoint = process.env.HF_ENDPOINT || undefined,
    onDownload,
  } = options;
  if (token !== undefined && !token.startsWith('hf_'))
    throw new IlrecError(
      `${caller}: token must start with "hf_", got ${token.length} other characters; copy it again from the ` +
        "hub's settings",
    );
  if (!/^[\w./-]+$/.test(revision) || revision.split('/').includes('..'))
    throw new IlrecError(`${caller}: revision must be a branch, tag or commit, got "${revision}"`);
  const storage = join(options.cacheDir ?? getHFHubCachePath(), getRepoFolderName({ type: 'model', name: id }));
  const hub = { accessToken: token, hubUrl: endpoint };

  const cached = await cachedSnapshot(storage, revision, caller);
  if (cached !== null && COMMIT.test(revision)) return named(cached, id);
  if (process.env.HF_HUB_OFFLINE === '1')
    return named(cached ?? refuseOffline(id, storage, 'HF_HUB_OFFLINE=1', caller), id);
  let repository: { sha: string; filePaths: string[] };
  try {
    repository = await modelInfo({ name: id, revision, additionalFields: ['sha', 'filePaths'], ...hub });
  } catch (error) {
    const refusal = refusalOf(error, id, revision, caller);
    if (refusal !== null) throw refusal;
    return named(cached ?? refuseOffline(id, storage, reasonOf(error), caller), id);
  }

  const { sha: commit, filePaths } = repository;
  if (!COMMIT.test(commit))
    throw new IlrecError(`${caller}: the hub must name the commit of ${id}, got "${commit}"; check the endpoint`);
  const snapshot = join(storage, 'snapshots', commit);
  const present = new Set(filePaths);
  const fetchAll = async (files: readonly string[]): Promise<void> => {
    for (const file of files.filter((name) => present.has(name))) {
      try {
        await downloadToCache({ id, file, commit, storage, ...hub, onDownload, caller });
      } catch (error) {
        if (error instanceof IlrecError) throw error;
        throw (
          refusalOf(error, id, revision, caller) ??
          new IlrecError(
            `${caller}: ${file} of ${id} must be downloaded, got "${reasonOf(error)}"; run it again, the ` +
              'download resumes',
          )
        );
      }
    }
  };
  await fetchAll(SMALL_FILES);
  if (present.has(SAFETENSORS_FILE)) await fetchAll([SAFETENSORS_FILE]);
  else if (present.has(SAFETENSORS_INDEX)) {
    await fetchAll([SAFETENSORS_INDEX]);
    await fetchAll(
      [
        ...new Set(shardsOf(await readJson(folderSource(snapshot), SAFETENSORS_INDEX, caller), id, caller).values()),
      ].sort(),
    );
  }
  if (commit !== revision) {
    const reference = join(storage, 'refs', revision);
    await mkdir(dirname(reference), { recursive: true });
    await writeFile(reference, commit);
  }
  return named(snapshot, id);
}

/** The cached folder of a revision, or null unless it has the config and all weights. */
async function cachedSnapshot(storage: string, revision: string, caller: string): Promise<string | null> {
  const commit = COMMIT.test(revision)
    ? revision
    : await readFile(join(storage, 'refs', revision), 'utf8').catch(() => '');
  if (!COMMIT.test(commit)) return null;
  const folder = join(storage, 'snapshots', commit);
  const source = folderSource(folder);
  if (!(await source.has('config.json'))) return null;
  if (await source.has(SAFETENSORS_FILE)) return folder;
  if (!(await source.has(SAFETENSORS_INDEX))) return null;
  const shards = new Set(shardsOf(await readJson(source, SAFETENSORS_INDEX, caller), folder, caller).values());
  const found = await Promise.all([...shards].map((file) => stat(join(folder, file)).catch(() => null)));
  return found.includes(null) ? null : folder;
}

function named(folder: string, id: string): FileSource {
  return { ...folderSource(folder), name: id };
}

function refuseOffline(id: string, storage: string, reason: string, caller: string): never {
  throw new IlrecError(
    `${caller}: ${id} must be in the cache when the hub cannot be reached, got no complete copy under ${storage} ` +
      `("${reason}"); check the id, the network and the proxy`,
  );
}

/** The error for a request that the hub refused; null when the hub did not answer. */
function refusalOf(error: unknown, id: string, revision: string, caller: string): IlrecError | null {
  const status = (error as { statusCode?: unknown }).statusCode;
  if (status === 401 || status === 403)
    return new IlrecError(
      `${caller}: ${id} must be readable, got ${status} from the hub; check the id, accept its licence there and ` +
        'give a token',
    );
  if (status === 404)
    return new IlrecError(
      `${caller}: ${id} must be on the hub at revision "${revision}", got 404; check the id and the revision`,
    );
  return null;
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
