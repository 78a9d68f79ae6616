import { type FileSource, missingFile } from './file_source';

/**
 * The files of a directory that the user of a browser has picked, through the File System Access API.
 *
 * @param directory what `showDirectoryPicker()` or `navigator.storage.getDirectory()` gives.
 */
export function directorySource(directory: FileSystemDirectoryHandle): FileSource {
  const find = async (file: string): Promise<File | null> => {
    try {
      return await (await directory.getFileHandle(file)).getFile();
    } catch (error) {
      if (error instanceof Error && (error.name === 'NotFoundError' || error.name === 'TypeMismatchError')) return null;
      throw error; // a permission that was taken back, and the like
    }
  };
  const get = async (file: string): Promise<File> => {
    const found = await find(file);
    if (found === null) throw missingFile(directory.name, file);
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
