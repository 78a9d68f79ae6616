import { type FileSource, missingFile } from './file_source';

/**
 * Opens a directory that a user picked in the browser (File System Access API) as a source of files.
 *
 * @param directory the handle from `showDirectoryPicker()` or `navigator.storage.getDirectory()`.
 * @returns the files directly in the directory. Its methods throw the browser's own error when permission was
 * withdrawn.
 * @throws IlrecError from `size` and `read` when there is no such file.
 * @example
 * ```ts
 * import { directorySource } from 'tfjs-ilrec';
 *
 * // In a browser: const directory = await showDirectoryPicker();
 * const getFileHandle = async (name: string) => ({ getFile: async () => new File(['{"vocab_size": 100}'], name) });
 * const directory = { name: 'checkpoint', getFileHandle } as unknown as FileSystemDirectoryHandle;
 * const source = directorySource(directory);
 * console.log(source.name, await source.size('config.json')); // checkpoint 19
 * ```
 */
export function directorySource(directory: FileSystemDirectoryHandle): FileSource {
  const find = async (file: string): Promise<File | null> => {
    try {
      return await (await directory.getFileHandle(file)).getFile();
    } catch (error) {
      if (error instanceof Error && (error.name === 'NotFoundError' || error.name === 'TypeMismatchError')) return null;
      throw error; // for example a permission that was withdrawn
    }
  };
  const get = async (file: string): Promise<File> => {
    const found = await find(file);
    if (found === null) throw missingFile('directorySource', directory.name, file);
    return found;
  };
  return {
    name: directory.name,
    has: async (file) => (await find(file)) !== null,
    size: async (file) => (await get(file)).size,
    read: async (file, start = 0, end = Infinity) => {
      const found = await get(file);
      return new Uint8Array(await found.slice(start, Math.min(end, found.size)).arrayBuffer());
    },
  };
}
