/** Most prompts that a language remembers: with 100 tokens each about 30 MB. */
const DEFAULT_CAPACITY = 1 << 16;

/** The histories of prompts made lately, found by the prompts' tokens; of two histories that read the same the later one counts. */
export class PromptMemory {
  private readonly histories = new Map<string, readonly number[]>();

  /** @param capacity prompts kept, at least 1; the oldest is forgotten first. Default 65,536. */
  constructor(private readonly capacity = DEFAULT_CAPACITY) {}

  remember(prompt: Int32Array, history: readonly number[]): void {
    const key = keyOf(prompt);
    this.histories.delete(key); // set again, it counts as the latest
    this.histories.set(key, history);
    if (this.histories.size > this.capacity) {
      for (const oldest of this.histories.keys()) {
        this.histories.delete(oldest);
        break;
      }
    }
  }

  /** Null where no such prompt is remembered. */
  historyOf(prompt: Int32Array): readonly number[] | null {
    return this.histories.get(keyOf(prompt)) ?? null;
  }
}

/** The tokens as a string, two UTF-16 units each: exact, and hashed by the engine. */
function keyOf(tokens: Int32Array): string {
  const units = new Uint16Array(tokens.buffer, tokens.byteOffset, 2 * tokens.length);
  let key = '';
  for (let low = 0; low < units.length; low += 4096) key += String.fromCharCode(...units.subarray(low, low + 4096)); // a call takes so many arguments
  return key;
}
