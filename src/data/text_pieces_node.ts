import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline, Readable, type Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import { IlrecError } from '../errors';

/** How `readPieces` reads. */
export interface ReadPiecesOptions {
  /** The way out that the error names when the file cannot be read. Default 'check the path'. */
  todo?: string;
  /** Reads a file that is not UTF-8 as Latin-1. The whole file is then in memory at once. Default false. */
  latin1?: boolean;
}

const PIECE = 1 << 18; // bytes
const MAGIC = {
  gzip: [0x1f, 0x8b],
  zstd: [0x28, 0xb5, 0x2f, 0xfd],
  zip: [0x50, 0x4b, 0x03, 0x04],
  parquet: [0x50, 0x41, 0x52, 0x31],
} as const;

/**
 * Reads a text file piece by piece, so that its size does not matter.
 *
 * Files that gzip or zstd compressed are recognised by their first bytes; zstd needs a Node whose zlib has it. Text is
 * UTF-8, or UTF-16 with a byte order mark, which is removed.
 *
 * @param caller the public function that errors name.
 * @throws IlrecError when the file is missing, is a folder, is damaged or is not text.
 */
export async function* readPieces(
  caller: string,
  path: string,
  { todo = 'check the path', latin1 = false }: ReadPiecesOptions = {},
): AsyncGenerator<string> {
  const bytes = await openBytes(caller, path, todo);
  if (latin1) return yield* latin1Pieces(bytes);
  let decoder: TextDecoder | undefined;
  let line = 1;
  const decode = (chunk?: Uint8Array): string => {
    try {
      return (decoder as TextDecoder).decode(chunk, { stream: chunk !== undefined });
    } catch {
      const before = new TextDecoder(decoder?.encoding).decode(chunk).split('\ufffd', 1)[0];
      throw new IlrecError(
        `${caller}: ${path} line ${line + breaksIn(before)} must be ${decoder?.encoding.toUpperCase()} text, got other ` +
          'bytes; save the file as UTF-8',
      );
    }
  };
  for await (const chunk of bytes) {
    decoder ??= new TextDecoder(encodingOf(chunk), { fatal: true });
    const piece = decode(chunk);
    yield piece;
    line += breaksIn(piece);
  }
  if (decoder !== undefined) yield decode();
}

/** What the first bytes of a file say that it is; 'text' where they say nothing, cannot be read, or are of a pipe. */
export async function formOf(path: string): Promise<keyof typeof MAGIC | 'text'> {
  const forms = Object.keys(MAGIC) as (keyof typeof MAGIC)[];
  try {
    if (!(await stat(path)).isFile()) return 'text'; // bytes of a pipe can be read only once
    for await (const chunk of createReadStream(path, { end: 3 }))
      return forms.find((form) => startsWith(chunk as Buffer, MAGIC[form])) ?? 'text';
  } catch {
    return 'text'; // whoever reads the file says what is wrong
  }
  return 'text';
}

async function* latin1Pieces(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bytes) chunks.push(chunk);
  const all = Buffer.concat(chunks);
  try {
    yield new TextDecoder('utf-8', { fatal: true }).decode(all);
  } catch {
    yield new TextDecoder('latin1').decode(all);
  }
}

/** The bytes of a file, decompressed. */
async function openBytes(caller: string, path: string, todo: string): Promise<AsyncIterable<Uint8Array>> {
  const stream = createReadStream(path, { highWaterMark: PIECE })[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const next = async (): Promise<IteratorResult<Buffer, unknown>> => {
    try {
      return await stream.next();
    } catch (error) {
      throw new IlrecError(`${caller}: ${path} must be a readable file, got ${codeOf(error)}; ${todo}`);
    }
  };
  const first = await next();
  const source = (async function* (): AsyncGenerator<Buffer> {
    try {
      for (let step = first; step.done !== true; step = await next()) yield step.value;
    } finally {
      await stream.return?.();
    }
  })();
  const head = first.done === true ? Buffer.of() : first.value;
  if (startsWith(head, MAGIC.zip))
    throw new IlrecError(`${caller}: ${path} must be a text or .gz file, got a ZIP archive; unpack it first`);
  if (startsWith(head, MAGIC.parquet))
    throw new IlrecError(
      `${caller}: ${path} must be a text or .gz file, got Parquet; install @duckdb/node-api, which reads it, or export CSV`,
    );
  if (startsWith(head, MAGIC.gzip)) return unpacked(caller, path, source, zlib.createGunzip(), 'gzip');
  if (!startsWith(head, MAGIC.zstd)) return source;
  const { createZstdDecompress } = zlib as { createZstdDecompress?: () => Transform };
  if (createZstdDecompress === undefined)
    throw new IlrecError(
      `${caller}: ${path} is compressed by zstd, which Node ${process.versions.node} does not read; use Node 22.15 or ` +
        'newer, or unpack it with `zstd -d`',
    );
  return unpacked(caller, path, source, createZstdDecompress(), 'zstd');
}

async function* unpacked(
  caller: string,
  path: string,
  source: AsyncIterable<Buffer>,
  transform: Transform,
  format: string,
): AsyncGenerator<Uint8Array> {
  pipeline(Readable.from(source), transform, () => undefined); // its error is thrown by the loop below
  try {
    for await (const chunk of transform) yield chunk as Buffer;
  } catch (error) {
    if (error instanceof IlrecError) throw error;
    throw new IlrecError(`${caller}: ${path} must be a whole ${format} file, got ${codeOf(error)}; download it again`);
  }
}

function encodingOf(head: Uint8Array): string {
  if (startsWith(head, [0xff, 0xfe])) return 'utf-16le';
  return startsWith(head, [0xfe, 0xff]) ? 'utf-16be' : 'utf-8';
}

function startsWith(bytes: Uint8Array, magic: readonly number[]): boolean {
  return magic.every((byte, i) => bytes[i] === byte);
}

function breaksIn(text: string): number {
  let count = 0;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) count++;
  return count;
}

function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  return code === 'ENOENT' ? 'nothing at that path' : code === 'EISDIR' ? 'a folder' : code;
}
