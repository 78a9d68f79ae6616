import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type FileSource, missingFile } from './file_source';

/** The files of a folder on the disk. */
export function folderSource(folder: string): FileSource {
  const sizeOf = async (file: string): Promise<number | null> => {
    const found = await stat(join(folder, file)).catch(() => null);
    return found === null || !found.isFile() ? null : found.size;
  };
  const size = async (file: string): Promise<number> => {
    const bytes = await sizeOf(file);
    if (bytes === null) throw missingFile(folder, file);
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
          if (bytesRead === 0) break; // cut off since its size was looked at
          filled += bytesRead;
        }
        return bytes.subarray(0, filled);
      } finally {
        await handle.close();
      }
    },
  };
}
