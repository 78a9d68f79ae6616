import { IlrecError } from '../errors';
import { outdated, type SnapshotStore } from './snapshot_store';
import type { TensorData } from '../safetensors/safetensors';
import type { TrainingSnapshot } from './training_snapshot';

/** Options of `indexedDbStore`. */
export interface IndexedDbStoreOptions {
  /** Number of checkpoints to keep, the newest; a positive integer. Default 2. */
  keep?: number;
}

const DATABASE = 'tfjs-ilrec';
const VERSION = 1;
const CHECKPOINTS = 'checkpoints';

type Kind = 'step' | 'best';
type Key = [run: string, kind: Kind, step: number];

/**
 * Stores the checkpoints of a run in the browser's IndexedDB, shared by the pages and workers of one origin. One
 * transaction writes a checkpoint and removes older ones, so that closing the page meanwhile leaves the old ones.
 *
 * @param run name of the run; each name has its own checkpoints.
 * @param options how many checkpoints to keep.
 * @returns the store; its methods throw an IlrecError when there is no IndexedDB or not enough space.
 * @throws IlrecError when keep is not a positive integer.
 * @example
 * ```ts
 * import { indexedDbStore } from 'tfjs-ilrec';
 *
 * const store = indexedDbStore('shop', { keep: 1 }); // in a browser: callbacks: [checkpointing({ store })]
 * console.log(Object.keys(store).join(', ')); // save, loadLatest, saveBest, loadBest, clear
 * ```
 */
export function indexedDbStore(run: string, { keep = 2 }: IndexedDbStoreOptions = {}): SnapshotStore {
  if (!Number.isInteger(keep) || keep < 1)
    throw new IlrecError(`indexedDbStore: keep must be a positive integer, got ${keep}`);
  const keyOf = (kind: Kind, step: number): Key => [run, kind, step];
  const all = (kind: Kind): IDBKeyRange => IDBKeyRange.bound(keyOf(kind, 0), keyOf(kind, Infinity));
  const stepsOf = async (checkpoints: IDBObjectStore, kind: Kind): Promise<number[]> => {
    const keys = await answerOf(checkpoints.getAllKeys(all(kind)));
    return (keys as Key[]).map(([, , step]) => step);
  };

  return {
    save: (snapshot) =>
      transact('readwrite', async (checkpoints) => {
        await answerOf(checkpoints.put(snapshot, keyOf('step', snapshot.step)));
        const old = outdated(
          await stepsOf(checkpoints, 'step'),
          await stepsOf(checkpoints, 'best'),
          keep,
          snapshot.step,
        );
        for (const step of old.steps) checkpoints.delete(keyOf('step', step));
        for (const step of old.bests) checkpoints.delete(keyOf('best', step));
      }),
    loadLatest: () =>
      transact('readonly', async (checkpoints) => {
        const newest = await answerOf(checkpoints.openCursor(all('step'), 'prev'));
        return newest === null ? null : (newest.value as TrainingSnapshot);
      }),
    saveBest: (step, weights) =>
      transact(
        'readwrite',
        async (checkpoints) => void (await answerOf(checkpoints.put(weights, keyOf('best', step)))),
      ),
    loadBest: (step) =>
      transact('readonly', async (checkpoints) => {
        const weights = (await answerOf(checkpoints.get(keyOf('best', step)))) as TensorData[] | undefined;
        if (weights === undefined)
          throw new IlrecError(
            `indexedDbStore: the best weights of step ${step} of "${run}" must exist because a checkpoint refers ` +
              'to them, got none; clear() the run and train again',
          );
        return weights;
      }),
    clear: () =>
      // arrays sort after all numbers and strings
      transact('readwrite', async (checkpoints) => void checkpoints.delete(IDBKeyRange.bound([run], [run, []]))),
  };
}

/** Runs one transaction and waits until it is on disk. When `work` throws, nothing is changed. */
async function transact<T>(mode: IDBTransactionMode, work: (checkpoints: IDBObjectStore) => Promise<T>): Promise<T> {
  const database = await openDatabase();
  try {
    const transaction = database.transaction(CHECKPOINTS, mode, { durability: 'strict' });
    const done = new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error ?? new Error('the transaction was aborted'));
    });
    const [result] = await Promise.all([
      work(transaction.objectStore(CHECKPOINTS)).catch((error: unknown) => {
        done.catch(() => undefined); // the error of work is the reason
        if (error instanceof IlrecError) transaction.abort();
        throw error;
      }),
      done,
    ]);
    return result;
  } catch (error) {
    throw error instanceof IlrecError ? error : refusal(error);
  } finally {
    database.close();
  }
}

async function openDatabase(): Promise<IDBDatabase> {
  try {
    if ((globalThis.indexedDB as IDBFactory | null | undefined) == null) {
      throw new IlrecError(
        'indexedDbStore: the page must have IndexedDB, got none; use a browser, and no private window if it ' +
          'forbids storage',
      );
    }
    const request = indexedDB.open(DATABASE, VERSION); // throws for a page without an origin of its own
    request.onupgradeneeded = () => void request.result.createObjectStore(CHECKPOINTS);
    return await answerOf(request);
  } catch (error) {
    throw error instanceof IlrecError ? error : refusal(error);
  }
}

/** What to do about an error of the browser, by its name. */
const REPAIRS: Readonly<Record<string, string>> = {
  QuotaExceededError: 'free some space, or clear() finished runs',
  SecurityError: 'give the sandboxed frame allow-same-origin, or open the page directly',
};

function refusal(cause: unknown): IlrecError {
  const { name, message } = cause as DOMException;
  const step = REPAIRS[name] ?? 'allow the site to store data in this browser';
  return new IlrecError(`indexedDbStore: the browser must store the checkpoint, got ${name}: ${message}; ${step}`, {
    cause,
  });
}

function answerOf<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
