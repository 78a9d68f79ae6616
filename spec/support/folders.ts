import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A new folder per case, removed after it. */
export function temporaryFolder(): { path: string } {
  const folder = { path: '' };
  beforeEach(async () => {
    folder.path = await mkdtemp(join(tmpdir(), 'ilrec-spec-'));
  });
  afterEach(async () => await rm(folder.path, { recursive: true, force: true }));
  return folder;
}

/** The message of the error that a promise is rejected with; fails where it is fulfilled. */
export async function messageOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('messageOf: the promise must be rejected, got a value');
}
