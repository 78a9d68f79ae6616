import { IlrecError } from '../errors';
import { fieldOf, idOf, linesOf, parseJsonLine, show, type TextFile } from '../data/text_file';

/**
 * Reads item vectors from JSONL, one {"id": "B000FFWZKI", "vector": [0.1, -2]} per line.
 *
 * @param caller the public function that errors name.
 * @returns item id -> vector, all of one length.
 * @throws IlrecError when a line is malformed, vectors differ in length or an item occurs twice; the message names the
 *   file, the line and the value.
 */
export function readItemVectors(caller: string, file: TextFile): Map<string, Float32Array> {
  const vectors = new Map<string, Float32Array>();
  let dim = -1;
  for (const { line, number } of linesOf(caller, file)) {
    const where = `${caller}: ${file.name} line ${number}`;
    const { row, exact } = parseLine(caller, file.name, line, number);
    const vector = fieldOf(where, row, 'vector');
    const given = fieldOf(where, row, 'id');
    const id = typeof given === 'number' ? fieldOf(where, exact, 'id') : given;
    const key = idOf(id);
    if (key === null)
      throw new IlrecError(
        `${where} must have an item id as "id", got ${show(id)}; write {"id": ..., "vector": [...]}`,
      );
    if (
      !Array.isArray(vector) ||
      vector.length === 0 ||
      !vector.every((x) => typeof x === 'number' && Number.isFinite(x))
    ) {
      throw new IlrecError(
        `${where} must have a list of finite numbers as "vector", got ${show(vector)}; write {"id": ..., ` +
          '"vector": [...]}',
      );
    }
    if (dim >= 0 && vector.length !== dim)
      throw new IlrecError(
        `${where} must have a vector of ${dim} numbers like the lines before, got ${vector.length}; use one ` +
          'encoder for all items',
      );
    if (vectors.has(key))
      throw new IlrecError(`${where} must not repeat an item, got ${show(key)} again; keep one of the lines`);
    dim = vector.length;
    vectors.set(key, Float32Array.from(vector as number[]));
  }
  return vectors;
}

/** A line as `JSON.parse` reads it, and with exact numbers but without its lists, whose numbers may be rounded. */
function parseLine(
  caller: string,
  file: string,
  line: string,
  number: number,
): Record<'row' | 'exact', Record<string, unknown>> {
  let row: unknown;
  try {
    row = JSON.parse(line);
  } catch {
    return { row: {}, exact: parseJsonLine(caller, file, line, number) }; // throws
  }
  const exact = parseJsonLine(caller, file, line.replace(/:\s*\[[-+.\deE,\s]*\]/g, ':[]'), number);
  return { row: row as Record<string, unknown>, exact };
}
