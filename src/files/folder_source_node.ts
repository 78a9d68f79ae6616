import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type FileSource, missingFile } from './file_source';

/**
 * Opens a folder on disk as a source of files.
 *
 * @param folder path of the folder; the files directly in it are served.
 * @returns the source; nothing is read until one of its methods is called.
 * @throws IlrecError from `size` and `read` when there is no such file.
 * @example
 * ```ts
 * import { folderSource } from 'tfjs-ilrec/node';
 *
 * const source = folderSource('checkpoint');
 * console.log(await source.has('config.json')); // true
 * console.log((await source.read('config.json', 0, 1))[0]); // 123
 * ```
 */
export function folderSource(folder: string): FileSource {
  const sizeOf = async (file: string): Promise<number | null> => {
    const found = await stat(join(folder, file)).catch(() => null);
    return found === null || !found.isFile() ? null : found.size;
  };
  const size = async (file: string): Promise<number> => {
    const bytes = await sizeOf(file);
    if (bytes === null) throw missingFile('folderSource', folder, file);
    return bytes;
  };
  return {
    name: folder,
    has: async (file) => (await sizeOf(file)) !== null,
    size,
    read: async (file, start = 0, end = Infinity) => {
      const last = Math.min(end, await size(file));
      const bytes = new Uint8Array(Math.max(0, last - start));
      const handle = await open(join(folder, file), 'r');
      try {
        let filled = 0;
        while (filled < bytes.length) {
          const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled, start + filled);
          if (bytesRead === 0) break; // the file shrank after its size was read
          filled += bytesRead;
        }
        return bytes.subarray(0, filled);
      } finally {
        await handle.close();
      }
    },
  };
}
