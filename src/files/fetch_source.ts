import { IlrecError } from '../errors';
import { type FileSource, missingFile } from './file_source';

/** Options of `fetchSource`. */
export interface FetchSourceOptions {
  /** Headers of every request, for example `authorization`. Default none. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Used instead of the global `fetch`. */
  readonly fetch?: typeof fetch;
}

/**
 * Opens a URL as a source of files, read with range requests. A server without range support sends whole files; the
 * last one is cached, so that it is downloaded once.
 *
 * @param url address of the folder, for example `https://huggingface.co/OWNER/NAME/resolve/main`.
 * @param options headers of the requests, and the `fetch` to use.
 * @returns the source; nothing is requested until one of its methods is called.
 * @throws IlrecError from each method when the server cannot be reached or refuses, and from `size` and `read` when
 * there is no such file.
 * @example
 * ```ts
 * import { fetchSource } from 'tfjs-ilrec';
 *
 * const server = async () => new Response('{"vocab_size": 100}'); // in your program: leave the option out
 * const source = fetchSource('https://example.com/model', { fetch: server });
 * console.log(new TextDecoder().decode(await source.read('config.json'))); // {"vocab_size": 100}
 * ```
 */
export function fetchSource(
  url: string,
  { headers = {}, fetch: request = globalThis.fetch.bind(globalThis) }: FetchSourceOptions = {},
): FileSource {
  const base = url.replace(/\/+$/, '');
  const sizes = new Map<string, number | null>(); // null: no such file
  let whole: { readonly file: string; readonly bytes: Uint8Array } | null = null;

  const send = async (file: string, range: string | null): Promise<Response> => {
    try {
      return await request(`${base}/${file}`, { headers: { ...headers, ...(range === null ? {} : { Range: range }) } });
    } catch (error) {
      throw new IlrecError(
        `fetchSource: ${base}/${file} must be reachable, got ` +
          `"${error instanceof Error ? error.message : String(error)}"; check the address, the network and, in a ` +
          "browser, the server's CORS headers",
      );
    }
  };
  const refused = ({ status, statusText }: Response, file: string): IlrecError =>
    new IlrecError(
      `fetchSource: ${base}/${file} must be readable, got ${status} ${statusText}`.trimEnd() +
        '; ' +
        `${status === 401 || status === 403 ? 'pass an authorization header with the option headers' : 'try again later'}`,
    );
  const keepWhole = async (file: string, response: Response): Promise<Uint8Array> => {
    const bytes = new Uint8Array(await response.arrayBuffer());
    whole = { file, bytes };
    sizes.set(file, bytes.length);
    return bytes;
  };
  const find = async (file: string): Promise<number | null> => {
    const known = sizes.get(file);
    if (known !== undefined) return known;
    const response = await send(file, 'bytes=0-0');
    if (response.status === 206) {
      await response.arrayBuffer();
      const total = Number(/\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1] ?? NaN);
      // a server of another origin may hide the header: then the whole file gives its size
      if (Number.isNaN(total)) await keepWhole(file, await send(file, null));
      else sizes.set(file, total);
    } else if (response.ok) {
      await keepWhole(file, response);
    } else if (response.status === 416) {
      sizes.set(file, 0); // no first byte: the file is empty
    } else if (response.status === 404 || response.status === 410) {
      sizes.set(file, null);
    } else {
      throw refused(response, file);
    }
    return sizes.get(file) ?? null;
  };
  const size = async (file: string): Promise<number> => {
    const bytes = await find(file);
    if (bytes === null) throw missingFile('fetchSource', base, file);
    return bytes;
  };
  return {
    name: base,
    has: async (file) => (await find(file)) !== null,
    size,
    read: async (file, start = 0, end = Infinity) => {
      const last = Math.min(end, await size(file));
      if (last <= start) return new Uint8Array(0);
      if (whole?.file === file) return whole.bytes.slice(start, last);
      const response = await send(file, `bytes=${start}-${last - 1}`);
      if (response.status === 206) return new Uint8Array(await response.arrayBuffer());
      if (!response.ok) throw refused(response, file);
      return (await keepWhole(file, response)).slice(start, last);
    },
  };
}
