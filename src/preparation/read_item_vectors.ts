import { IlrecError } from '../errors';
import { linesOf, parseJsonLine, show, type TextFile } from '../data/text_file';

const READER = 'readItemVectors';

/**
 * Reads item vectors from JSONL, one {"id": "B000FFWZKI", "vector": [0.1, -2]} per line.
 *
 * @returns item id -> vector, all of one length.
 * @throws IlrecError naming file, line, value and rule.
 */
export function readItemVectors(file: TextFile): Map<string, Float32Array> {
  const vectors = new Map<string, Float32Array>();
  let dim = -1;
  for (const { line, number } of linesOf(READER, file)) {
    const { id, vector } = parseJsonLine(READER, file.name, line, number);
    const at = `${READER}: ${file.name} line ${number}`;
    if ((typeof id !== 'string' && typeof id !== 'number') || String(id).trim() === '')
      throw new IlrecError(`${at} must have an item id as "id", got ${show(id)}; write {"id": ..., "vector": [...]}`);
    if (
      !Array.isArray(vector) ||
      vector.length === 0 ||
      !vector.every((x) => typeof x === 'number' && Number.isFinite(x))
    ) {
      throw new IlrecError(
        `${at} must have a list of finite numbers as "vector", got ${show(vector)}; write {"id": ..., "vector": [...]}`,
      );
    }
    if (dim >= 0 && vector.length !== dim)
      throw new IlrecError(
        `${at} must have a vector of ${dim} numbers like the lines before, got ${vector.length}; use one encoder for all items`,
      );
    const key = String(id).trim();
    if (vectors.has(key))
      throw new IlrecError(`${at} must not repeat an item, got ${show(key)} again; keep one of the lines`);
    dim = vector.length;
    vectors.set(key, Float32Array.from(vector as number[]));
  }
  return vectors;
}
