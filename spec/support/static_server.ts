import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { transform } from 'esbuild';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
  '.json': 'application/json',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};

export interface StaticServer {
  /** `http://127.0.0.1:PORT`. */
  readonly origin: string;
  close(): Promise<void>;
}

/**
 * Serves folders, each under its prefix (the longest that fits counts); a `.js` that is not there is made of the `.ts`
 * beside it.
 *
 * @param isolated sends the headers that give a page shared memory, and so threads.
 */
export async function serveFolders(
  folders: Readonly<Record<string, string>>,
  { isolated = false } = {},
): Promise<StaticServer> {
  const prefixes = Object.keys(folders).sort((a, b) => b.length - a.length);
  const server = createServer(async ({ url = '/' }, response) => {
    const path = normalize(decodeURIComponent(new URL(url, 'http://localhost').pathname));
    const prefix = prefixes.find((start) => path.startsWith(start));
    const body =
      prefix === undefined || path.includes('..')
        ? null
        : await contentOf(join(folders[prefix], path.slice(prefix.length)));
    if (isolated)
      response
        .setHeader('cross-origin-opener-policy', 'same-origin')
        .setHeader('cross-origin-embedder-policy', 'require-corp');
    response
      .writeHead(body === null ? 404 : 200, {
        'content-type': TYPES[extname(path)] ?? 'application/octet-stream',
        'cache-control': 'no-store',
      })
      .end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function contentOf(path: string): Promise<Buffer | string | null> {
  const file = await readFile(path).catch(() => null);
  if (file !== null || !path.endsWith('.js')) return file;
  const source = await readFile(path.replace(/\.js$/, '.ts'), 'utf8').catch(() => null);
  return source === null ? null : (await transform(source, { loader: 'ts', target: 'es2022' })).code;
}
