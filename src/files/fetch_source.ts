import { IlrecError } from '../errors';
import { type FileSource, missingFile } from './file_source';

export interface FetchSourceOptions {
  /** Sent with every request, such as an authorisation. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Takes the place of the platform's own `fetch`. */
  readonly fetch?: typeof fetch;
}

/**
 * The files under a URL, read a range at a time. A server that does not know ranges sends whole files; the last one is kept, so that it is sent once.
 *
 * @param url the folder, such as `https://huggingface.co/OWNER/NAME/resolve/main`.
 * @throws IlrecError from each function when the server cannot be reached or refuses.
 */
export function fetchSource(
  url: string,
  { headers = {}, fetch: request = globalThis.fetch.bind(globalThis) }: FetchSourceOptions = {},
): FileSource {
  const base = url.replace(/\/+$/, '');
  const sizes = new Map<string, number | null>(); // null: there is no such file
  let whole: { readonly file: string; readonly bytes: Uint8Array } | null = null;

  const send = async (file: string, range: string | null): Promise<Response> => {
    try {
      return await request(`${base}/${file}`, { headers: { ...headers, ...(range === null ? {} : { Range: range }) } });
    } catch (error) {
      throw new IlrecError(
        `fetchSource: ${base}/${file} must be reachable, got "${error instanceof Error ? error.message : String(error)}"; check the address, the network and, in a browser, the server's CORS headers`,
      );
    }
  };
  const refused = ({ status, statusText }: Response, file: string): IlrecError =>
    new IlrecError(
      `fetchSource: ${base}/${file} must be readable, got ${status} ${statusText}`.trimEnd() +
        `; ${status === 401 || status === 403 ? 'send an authorisation with the option headers' : 'try again later'}`,
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
      // another origin's server may hide the header: then the whole file tells
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
    if (bytes === null) throw missingFile(base, file);
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
