import { readFile } from 'node:fs/promises';
import { IlrecError } from '../errors';
import { loadPretrained } from '../pretrained/load_pretrained_node';
import type { NamedFiles } from './run_copy';

/** Reads from disk, the hub and the network what a config names. */
export const nodeFiles: NamedFiles = {
  readNamed: (path, option) =>
    readFile(path, 'utf8').catch(() => {
      throw new IlrecError(`${option} must be a file that can be read, got ${path}; check the path`);
    }),
  loadNamedCheckpoint: (location, revision) => loadPretrained(location, { revision }),
};
