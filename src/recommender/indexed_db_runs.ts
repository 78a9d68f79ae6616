import { IlrecError } from '../errors';
import type { FileSource } from '../files/file_source';

const DATABASE = 'tfjs-ilrec runs';
const VERSION = 1;
const FILES = 'files';

type Key = [run: string, path: string];

/** Writes all files of a run into IndexedDB in one transaction; an earlier run of the name is replaced. */
export async function writeIndexedDbRun(
  run: string,
  files: readonly (readonly [path: string, bytes: Uint8Array])[],
  caller: string,
): Promise<void> {
  await transact('readwrite', caller, (store) => {
    store.delete(IDBKeyRange.bound([run], [run, []])); // arrays sort after all texts
    for (const [path, bytes] of files) store.put(bytes, [run, path] satisfies Key);
    return null;
  });
}

/** The files of a run in IndexedDB. A missing run has none. */
export function indexedDbSource(run: string, caller: string): FileSource {
  const find = async (path: string): Promise<Uint8Array | undefined> =>
    await transact<Uint8Array | undefined>('readonly', caller, (store) => store.get([run, path] satisfies Key));
  const read = async (path: string): Promise<Uint8Array> => {
    const bytes = await find(path);
    if (bytes === undefined)
      throw new IlrecError(`${caller}: the run "${run}" in IndexedDB must hold ${path}, got none; save it again`);
    return bytes;
  };
  return {
    name: `indexeddb://${run}`,
    has: async (path) => (await find(path)) !== undefined,
    size: async (path) => (await read(path)).length,
    read: async (path, start = 0, end = Infinity) => (await read(path)).slice(start, end),
  };
}

/** Runs one transaction and waits until it is on disk. */
async function transact<T>(
  mode: IDBTransactionMode,
  caller: string,
  work: (store: IDBObjectStore) => IDBRequest<T> | null,
): Promise<T | undefined> {
  if ((globalThis.indexedDB as IDBFactory | null | undefined) == null)
    throw new IlrecError(`${caller}: the page must have IndexedDB, got none; in Node, name a folder`);
  try {
    const database = await opened();
    try {
      const transaction = database.transaction(FILES, mode, { durability: 'strict' });
      const request = work(transaction.objectStore(FILES));
      await new Promise<void>((resolve, reject) => {
        transaction.oncomplete = () => resolve();
        transaction.onabort = () => reject(transaction.error ?? new Error('the transaction was aborted'));
      });
      return request?.result;
    } finally {
      database.close();
    }
  } catch (cause) {
    const { name, message } = cause as DOMException;
    const step = name === 'QuotaExceededError' ? 'free some space' : 'allow the site to store data in this browser';
    throw new IlrecError(`${caller}: the browser must store the run, got ${name}: ${message}; ${step}`, { cause });
  }
}

function opened(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, VERSION);
    request.onupgradeneeded = () => void request.result.createObjectStore(FILES);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
