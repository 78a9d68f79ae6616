import { main } from '../../src/cli/program';

export interface Ran {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `ilrec ...` in this process and catches what it writes. */
export async function ilrecCommand(...words: string[]): Promise<Ran> {
  const written = { stdout: '', stderr: '' };
  const originals = { stdout: process.stdout.write, stderr: process.stderr.write };
  for (const stream of ['stdout', 'stderr'] as const) {
    process[stream].write = ((text: string | Uint8Array) => {
      written[stream] += String(text);
      return true;
    }) as typeof process.stdout.write;
  }
  const statusBefore = process.exitCode;
  try {
    const status = await main(['node', 'ilrec', ...words]);
    return { status, ...written };
  } finally {
    process.exitCode = statusBefore;
    for (const stream of ['stdout', 'stderr'] as const) process[stream].write = originals[stream];
  }
}
