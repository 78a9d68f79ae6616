import { IlrecError } from '../errors';
import { outdated, type SnapshotStore } from './snapshot_store';
import type { TensorData } from '../safetensors/safetensors';
import type { TrainingSnapshot } from './training_snapshot';

export interface IndexedDbStoreOptions {
  /** How many checkpoints stay; the newest ones. Default 2. */
  keep?: number;
}

const DATABASE = 'tfjs-ilrec';
const VERSION = 1;
const CHECKPOINTS = 'checkpoints';

type Kind = 'step' | 'best';
type Key = [run: string, kind: Kind, step: number];

/**
 * Keeps the checkpoints of a run in the browser's IndexedDB, for pages and workers of one origin. Each is written in one transaction with the removal of
 * what is older: a page closed meanwhile finds the old ones.
 *
 * @param run the run's name; another name is another run.
 * @throws IlrecError from each method, where there is no IndexedDB or no room.
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
            `loadBest: the best weights of step ${step} of "${run}" must be there, as a checkpoint speaks of them, got none; clear() the run and train again`,
          );
        return weights;
      }),
    clear: () =>
      transact('readwrite', async (checkpoints) => void checkpoints.delete(IDBKeyRange.bound([run], [run, []]))), // an array is behind every string
  };
}

/** Runs one transaction and waits until it is on the disk; one that throws leaves nothing behind. */
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
        done.catch(() => undefined); // what work says is the reason
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
        'indexedDbStore: the page must have IndexedDB, got none; use a browser, and no private window where that forbids it',
      );
    }
    const request = indexedDB.open(DATABASE, VERSION); // throws by itself where the origin is opaque
    request.onupgradeneeded = () => void request.result.createObjectStore(CHECKPOINTS);
    return await answerOf(request);
  } catch (error) {
    throw error instanceof IlrecError ? error : refusal(error);
  }
}

/** What mends an error of the browser's, by its name. */
const REPAIRS: Readonly<Record<string, string>> = {
  QuotaExceededError: 'free space, or clear() the runs that are done',
  SecurityError: 'give a sandboxed frame allow-same-origin, or open the page by itself',
};

function refusal(cause: unknown): IlrecError {
  const { name, message } = cause as DOMException;
  const step = REPAIRS[name] ?? 'check that the site may keep data in this browser';
  return new IlrecError(`indexedDbStore: the browser must keep the checkpoint, got ${name}: ${message}; ${step}`, {
    cause,
  });
}

function answerOf<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
