import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { copyFile, mkdir, rename, rm, stat, symlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import { downloadFile, fileDownloadInfo } from '@huggingface/hub';
import { IlrecError } from '../errors';

/** Options of `hubSource`, also taken by `loadPretrained`. */
export interface HubOptions {
  /** Branch, tag or commit. Default 'main'. */
  readonly revision?: string;
  /** Access token, `hf_...`, for gated and private models. Default the environment variable HF_TOKEN. */
  readonly token?: string;
  /**
   * Cache folder, shared with Hugging Face's own tools. Default as theirs: HF_HUB_CACHE, HF_HOME/hub or
   * ~/.cache/huggingface/hub.
   */
  readonly cacheDir?: string;
  /** Address of the hub. Default the environment variable HF_ENDPOINT, else https://huggingface.co. */
  readonly endpoint?: string;
  /** Called during a download, after each chunk. Default none. */
  readonly onDownload?: (progress: {
    readonly file: string;
    readonly receivedBytes: number;
    readonly totalBytes: number;
  }) => void;
}

export interface DownloadRequest {
  /** `owner/name`. */
  readonly id: string;
  readonly file: string;
  readonly commit: string;
  /** The repository's folder in the cache. */
  readonly storage: string;
  readonly accessToken?: string;
  readonly hubUrl?: string;
  readonly onDownload?: HubOptions['onDownload'];
  /** The public function that error messages name. */
  readonly caller: string;
}

/**
 * Downloads one file into the hub's cache, in the layout of Hugging Face's own tools: the content under `blobs`, named
 * by its checksum, and a link to it in the commit's snapshot. Interrupted downloads resume. (The hub client has a
 * function for this, but it prints.)
 *
 * @throws IlrecError when the file has another size or checksum than the hub announced.
 */
export async function downloadToCache({
  id,
  file,
  commit,
  storage,
  accessToken,
  hubUrl,
  onDownload,
  caller,
}: DownloadRequest): Promise<void> {
  const pointer = join(storage, 'snapshots', commit, file);
  if ((await sizeOf(pointer)) !== null) return;
  const request = { repo: id, path: file, revision: commit, accessToken, hubUrl };
  const info = await fileDownloadInfo(request);
  if (info === null)
    throw new IlrecError(`${caller}: ${id} must have ${file}, got none at commit ${commit}; run it again`);
  const etag = info.etag.replace(/^W\//, '').replaceAll('"', '');
  if (!/^[\w.-]+$/.test(etag))
    throw new IlrecError(
      `${caller}: the hub must give a checksum for ${file} of ${id}, got "${info.etag}"; check the endpoint`,
    );

  const blob = join(storage, 'blobs', etag);
  if ((await sizeOf(blob)) === null) {
    await mkdir(dirname(blob), { recursive: true });
    const partial = `${blob}.incomplete`;
    const content = await downloadFile({ ...request, downloadInfo: info });
    if (content === null)
      throw new IlrecError(`${caller}: ${id} must have ${file}, got none at commit ${commit}; run it again`);
    const found = (await sizeOf(partial)) ?? 0;
    const start = found <= info.size ? found : 0;
    let receivedBytes = start;
    const counter = new Transform({
      transform(chunk: Uint8Array, _encoding, done) {
        receivedBytes += chunk.length;
        onDownload?.({ file, receivedBytes, totalBytes: info.size });
        done(null, chunk);
      },
    });
    if (start < info.size || info.size === 0) {
      await pipeline(
        Readable.fromWeb(content.slice(start, info.size).stream() as ReadableStream),
        counter,
        createWriteStream(partial, { flags: start > 0 ? 'a' : 'w' }),
      );
    }
    await check(partial, etag, info.size, `${caller}: ${file} of ${id}`);
    await rename(partial, blob);
  }
  await mkdir(dirname(pointer), { recursive: true });
  await rm(pointer, { force: true }); // a link whose target no longer exists
  // Windows without permission to create links
  await symlink(relative(dirname(pointer), blob), pointer).catch(async () => await copyFile(blob, pointer));
}

/**
 * Checks the size, and the SHA-256 where the hub names a file by it; removes a wrong file. `what` starts the error
 * message.
 */
async function check(path: string, etag: string, size: number, what: string): Promise<void> {
  const found = await sizeOf(path);
  const refuse = async (rule: string, got: string): Promise<never> => {
    await rm(path, { force: true });
    throw new IlrecError(`${what} must ${rule}, got ${got}; run it again`);
  };
  if (found !== size) await refuse(`have ${size} bytes`, String(found));
  if (!/^[0-9a-f]{64}$/.test(etag)) return;
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  const digest = hash.digest('hex');
  if (digest !== etag) await refuse(`have the checksum ${etag}`, digest);
}

async function sizeOf(path: string): Promise<number | null> {
  return (await stat(path).catch(() => null))?.size ?? null;
}
