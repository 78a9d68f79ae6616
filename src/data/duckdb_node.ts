import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { findPackage, importPackage, type OptionalPackage } from '../backends/optional_package_node';

const MEMORY_LIMIT = '900MB'; // what does not fit goes to the disk
const MAX_THREADS = 4; // each needs memory of its own

/** A database in a temporary folder. */
export interface DuckDb {
  run(sql: string): Promise<void>;
  /** The columns of the result, some thousand rows at a time. */
  columns(sql: string): AsyncGenerator<unknown[][]>;
  /** Closes the database and removes its folder. */
  close(): Promise<void>;
}

/** Opens DuckDB, or returns null where `@duckdb/node-api` is not installed or does not start. */
export async function openDuckDb(): Promise<DuckDb | null> {
  const found = findPackage('@duckdb/node-api');
  return found === undefined ? null : await start(found).catch(() => null);
}

async function start(found: OptionalPackage): Promise<DuckDb> {
  const api = await importPackage<{ DuckDBInstance: typeof DuckDBInstance }>(found);
  const folder = await mkdtemp(join(tmpdir(), 'ilrec-duckdb-'));
  let instance: DuckDBInstance | undefined;
  let connection: DuckDBConnection | undefined;
  const close = async (): Promise<void> => {
    connection?.closeSync();
    instance?.closeSync();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    instance = await api.DuckDBInstance.create(join(folder, 'tables.duckdb'), {
      memory_limit: MEMORY_LIMIT,
      temp_directory: folder,
      threads: String(Math.min(MAX_THREADS, availableParallelism())),
      preserve_insertion_order: 'true',
      autoinstall_known_extensions: 'false', // nothing is loaded from the network
    });
    connection = await instance.connect();
  } catch (error) {
    await close();
    throw error;
  }
  const { run, stream } = connection;
  return {
    run: async (sql) => void (await run.call(connection, sql)),
    columns: async function* (sql) {
      const result = await stream.call(connection, sql);
      for (;;) {
        const chunk = await result.fetchChunk();
        if (chunk === null || chunk.rowCount === 0) return;
        yield chunk.getColumns();
      }
    },
    close,
  };
}

/** A text as SQL. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A name as SQL. */
export function named(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
