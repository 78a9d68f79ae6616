import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What the fake hub may be told to do wrong. */
export interface HubFaults {
  /** Answers every request with this status. */
  status?: number;
  /** Sends this many bytes of a file's content and breaks the connection, once. */
  breakAfter?: number;
  /** Sends these bytes instead of a file's own. */
  damaged?: string;
}

/**
 * A server that answers as the hub does for one model at one commit; large files are named by their SHA-256, as those
 * in LFS are.
 */
export class FakeHub {
  readonly requests: string[] = [];
  readonly tokens = new Set<string>();
  faults: HubFaults = {};
  endpoint = '';
  private server: Server | null = null;

  constructor(
    readonly id: string,
    readonly commit: string,
    private readonly files: Readonly<Record<string, Uint8Array>>,
  ) {}

  async start(): Promise<void> {
    const server = createServer((request, response) => this.answer(request, response));
    this.server = server;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
    this.endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    const { server } = this;
    this.server = null;
    server?.closeAllConnections();
    if (server !== null) await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  /** Names of the files that were asked for since the last call, and `revision` for look-ups. */
  takeRequests(): string[] {
    return this.requests.splice(0);
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    const path = decodeURIComponent((request.url ?? '').split('?')[0]);
    if (request.headers.authorization !== undefined) this.tokens.add(request.headers.authorization);
    const revision = new RegExp(`^/api/models/${this.id}/revision/(.+)$`).exec(path)?.[1];
    const file = new RegExp(`^/${this.id}/resolve/${this.commit}/(.+)$`).exec(path)?.[1];
    this.requests.push(file ?? (revision === undefined ? path : `revision ${revision}`));
    if (this.faults.status !== undefined)
      return void response.writeHead(this.faults.status, { 'content-type': 'application/json' }).end('{"error": "no"}');
    if (revision === 'main' || revision === this.commit) {
      const siblings = Object.keys(this.files).map((rfilename) => ({ rfilename }));
      return void response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ _id: 'x', id: this.id, sha: this.commit, siblings, lastModified: '2024-01-01' }));
    }
    const content = file === undefined ? undefined : this.files[file];
    if (file === undefined || content === undefined)
      return void response
        .writeHead(404, { 'x-error-code': file === undefined ? 'RevisionNotFound' : 'EntryNotFound' })
        .end();
    this.send(file, content, request, response);
  }

  private send(file: string, content: Uint8Array, request: IncomingMessage, response: ServerResponse): void {
    const isLarge = file.endsWith('.safetensors');
    const etag = createHash(isLarge ? 'sha256' : 'sha1')
      .update(content)
      .digest('hex');
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? 'bytes=0-') as string[];
    const [start, end] = [Number(from), to === '' ? content.length : Number(to) + 1];
    const headers = {
      etag: isLarge ? '"other"' : `"${etag}"`,
      ...(isLarge ? { 'x-linked-etag': `"${etag}"` } : {}),
      'content-range': `bytes ${start}-${end - 1}/${content.length}`,
    };
    const body = Buffer.from(content.slice(start, end));
    const isProbe = end - start === 1 && start === 0;
    if (isLarge && !isProbe && this.faults.breakAfter !== undefined) {
      response.writeHead(206, { ...headers, 'content-length': body.length });
      response.write(body.subarray(0, this.faults.breakAfter), () => response.destroy());
      delete this.faults.breakAfter;
      return;
    }
    if (isLarge && !isProbe && this.faults.damaged !== undefined) body.write(this.faults.damaged);
    response.writeHead(206, headers).end(body);
  }
}
