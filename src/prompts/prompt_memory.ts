/** Number of remembered prompts; with 100 tokens each they take about 30 MB. */
const DEFAULT_CAPACITY = 1 << 16;

/**
 * Remembers the histories of recent prompts, keyed by the prompts' tokens. For equal prompts, the later history is
 * kept.
 */
export class PromptMemory {
  private readonly histories = new Map<string, readonly number[]>();

  /** @param capacity number of prompts, at least 1; the oldest is forgotten first. Default 65,536. */
  constructor(private readonly capacity = DEFAULT_CAPACITY) {}

  remember(prompt: Int32Array, history: readonly number[]): void {
    const key = keyOf(prompt);
    this.histories.delete(key); // inserting it again makes it the newest
    this.histories.set(key, history);
    if (this.histories.size > this.capacity) {
      for (const oldest of this.histories.keys()) {
        this.histories.delete(oldest);
        break;
      }
    }
  }

  /** The history of a prompt, null when it is not remembered. */
  historyOf(prompt: Int32Array): readonly number[] | null {
    return this.histories.get(keyOf(prompt)) ?? null;
  }
}

/** The tokens as a string of two UTF-16 units each, an exact key that the engine hashes. */
function keyOf(tokens: Int32Array): string {
  const units = new Uint16Array(tokens.buffer, tokens.byteOffset, 2 * tokens.length);
  let key = '';
  // in chunks, because a call has a limit of arguments
  for (let low = 0; low < units.length; low += 4096) key += String.fromCharCode(...units.subarray(low, low + 4096));
  return key;
}
