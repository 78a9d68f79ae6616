import { readFileSync, writeFileSync } from 'node:fs';

/**
 * The most resident memory of this process since it was made, in bytes; that of a GPU is not counted. Linux keeps the
 * peak itself, elsewhere it is the largest of the samples. What earlier work of the same process has not given back
 * counts, too.
 */
export class PeakMemory {
  private readonly isKept = forgetPeak();
  private largest = process.memoryUsage.rss();

  /** Looks at the memory in use; call it after each step. */
  sample(): void {
    this.largest = Math.max(this.largest, this.isKept ? keptPeak() : process.memoryUsage.rss());
  }

  get bytes(): number {
    this.sample();
    return this.largest;
  }
}

/** Linux: sets the kept peak to what is in use now. @returns whether there is one. */
function forgetPeak(): boolean {
  try {
    writeFileSync('/proc/self/clear_refs', '5');
    return keptPeak() > 0;
  } catch {
    return false;
  }
}

function keptPeak(): number {
  const found = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
  return found === null ? 0 : 1024 * Number(found[1]);
}
