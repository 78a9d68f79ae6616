import { type FileSource, missingFile } from '../../src/files/file_source';

/** One call of `read`. */
export interface ReadCall {
  readonly file: string;
  readonly bytes: number;
}

/** Files in memory, with a record of what was read. */
export function memorySource(
  files: Readonly<Record<string, Uint8Array | object>>,
  name = 'memory',
): FileSource & { readonly reads: ReadCall[] } {
  const contents = new Map(
    Object.entries(files).map(([file, content]) => [
      file,
      content instanceof Uint8Array ? content : new TextEncoder().encode(JSON.stringify(content)),
    ]),
  );
  const reads: ReadCall[] = [];
  const get = (file: string): Uint8Array => {
    const content = contents.get(file);
    if (content === undefined) throw missingFile('memorySource', name, file);
    return content;
  };
  return {
    name,
    reads,
    has: async (file) => contents.has(file),
    size: async (file) => get(file).length,
    read: async (file, start = 0, end = Infinity) => {
      const bytes = get(file).slice(start, Math.min(end, get(file).length));
      reads.push({ file, bytes: bytes.length });
      return bytes;
    },
  };
}
