import type * as tfl from '@tensorflow/tfjs-layers';
import { decodeModel, encodeModel, MODEL_FILE, WEIGHTS_FILE } from '../checkpoints/model_files';
import { IlrecError } from '../errors';
import { fetchSource } from '../files/fetch_source';
import type { FileSource } from '../files/file_source';
import type { LoraAdapter } from '../lora/lora_adapter';
import { ADAPTER_CONFIG, ADAPTER_WEIGHTS, encodeAdapter } from '../lora/peft_format';
import type { RunFiles } from '../methods/method';
import { loadPretrainedFrom, type Pretrained } from '../pretrained/load_pretrained';
import type { SavePretrainedOptions } from '../pretrained/save_pretrained_node';
import { decodeSafetensors, encodeSafetensors, type TensorData } from '../safetensors/safetensors';

/** Files that the run itself keeps. */
const RESERVED = new Set(['manifest.json', 'config.json', 'items.jsonl', 'log.jsonl']);

/** @throws IlrecError when a method must not write a file of this name. */
export function checkFileName(name: string): void {
  if (!/^[\w-][\w.-]*$/.test(name) || RESERVED.has(name))
    throw new IlrecError(`trainRun: a method's file must have a plain name that is not the run's own, got ${name}`);
}

/** A file of a run, or a model that becomes files when it is written. */
export type RunPart = { readonly path: string } & (
  | { readonly text: string }
  | { readonly bytes: Uint8Array }
  | { readonly model: tfl.LayersModel }
  | { readonly checkpoint: SavePretrainedOptions }
);

/** Reads what lies outside a run: files and checkpoints that a config names. */
export type NamedFiles = Pick<RunFiles, 'readNamed' | 'loadNamedCheckpoint'>;

const MODEL_FOLDER = 'model';
const utf8 = new TextEncoder();

/**
 * The files of a run in memory, for its method: those that it has written, and those that it has read from a source.
 * Models stay models; their weights are not copied.
 */
export class RunCopy implements RunFiles {
  private readonly kept = new Map<string, RunPart>();
  readonly folder: string;

  /**
   * @param source where files lie that are not in memory; null for a run that begins in memory.
   * @param caller the public function that errors name.
   * @param named reads what the config names; by default checkpoints of a URL only.
   */
  constructor(
    private readonly source: FileSource | null,
    private readonly caller: string,
    private readonly named: NamedFiles = browserFiles(caller),
  ) {
    this.folder = source?.name ?? 'memory';
  }

  /** All files, in the order in which they were written or read. */
  get parts(): readonly RunPart[] {
    return [...this.kept.values()];
  }

  /** Reads a file of the run itself or of its method. @throws IlrecError when it is missing. */
  async text(path: string): Promise<string> {
    const part = this.kept.get(path);
    if (part !== undefined && 'text' in part) return part.text;
    const text = new TextDecoder().decode(await this.read(path));
    this.kept.set(path, { path, text });
    return text;
  }

  /** Keeps a file of the run itself or of its method. */
  write(path: string, text: string): void {
    this.kept.set(path, { path, text });
  }

  async readJson(name: string): Promise<unknown> {
    return this.parse(await this.text(name), name);
  }

  async writeJson(name: string, value: unknown): Promise<void> {
    checkFileName(name);
    this.write(name, jsonText(value));
  }

  async readLines(name: string): Promise<unknown[]> {
    const lines = (await this.text(name)).split('\n');
    return lines.flatMap((line) => (line === '' ? [] : [this.parse(line, name)]));
  }

  async writeLines(name: string, values: readonly unknown[]): Promise<void> {
    checkFileName(name);
    this.write(name, linesText(values));
  }

  async readTensors(name: string): Promise<ReadonlyMap<string, TensorData> | null> {
    try {
      const part = this.kept.get(name);
      const bytes = part !== undefined && 'bytes' in part ? part.bytes : await this.read(name);
      this.kept.set(name, { path: name, bytes });
      return decodeSafetensors(bytes, name, this.caller).tensors;
    } catch {
      return null;
    }
  }

  async writeTensors(name: string, tensors: ReadonlyMap<string, TensorData>): Promise<void> {
    checkFileName(name);
    this.kept.set(name, { path: name, bytes: encodeSafetensors({ tensors, metadata: {} }) });
  }

  async loadModel(): Promise<tfl.LayersModel> {
    const text = new TextDecoder().decode(await this.read(`${MODEL_FOLDER}/${MODEL_FILE}`));
    const weights = await this.read(`${MODEL_FOLDER}/${WEIGHTS_FILE}`);
    const model = await decodeModel(text, weights, `${this.folder}/${MODEL_FOLDER}`, this.caller);
    this.kept.set(MODEL_FOLDER, { path: MODEL_FOLDER, model });
    return model;
  }

  async saveModel(model: tfl.LayersModel): Promise<void> {
    this.kept.set(MODEL_FOLDER, { path: MODEL_FOLDER, model });
  }

  async loadCheckpoint(name: string): Promise<Pretrained> {
    if (this.source === null) throw missing(this.caller, this.folder, name);
    const checkpoint = await loadPretrainedFrom(sourceWithin(this.source, name), {}, this.caller);
    this.kept.set(name, { path: name, checkpoint });
    return checkpoint;
  }

  async saveCheckpoint(name: string, checkpoint: SavePretrainedOptions): Promise<void> {
    this.kept.set(name, { path: name, checkpoint });
  }

  async saveAdapter(name: string, adapter: LoraAdapter): Promise<void> {
    const { config, file } = await encodeAdapter(adapter, null, this.caller);
    const weights = `${name}/${ADAPTER_WEIGHTS}`;
    this.kept.set(weights, { path: weights, bytes: encodeSafetensors(file) });
    this.write(`${name}/${ADAPTER_CONFIG}`, jsonText(config));
  }

  readNamed(path: string, option: string): Promise<string> {
    return this.named.readNamed(path, option);
  }

  loadNamedCheckpoint(location: string, revision?: string): Promise<Pretrained> {
    return this.named.loadNamedCheckpoint(location, revision);
  }

  private async read(path: string): Promise<Uint8Array> {
    if (this.source === null || !(await this.source.has(path))) throw missing(this.caller, this.folder, path);
    return await this.source.read(path);
  }

  private parse(text: string, path: string): unknown {
    try {
      return JSON.parse(text);
    } catch {
      throw new IlrecError(
        `${this.caller}: ${this.folder}/${path} must be valid JSON, got "${text.slice(0, 40).replace(/\s+/g, ' ')}"; ` +
          'use another copy of the run',
      );
    }
  }
}

/** The bytes of a part, by path. @throws IlrecError for a model that reads text, which Node alone writes. */
export async function encodePart(part: RunPart, caller: string): Promise<[path: string, bytes: Uint8Array][]> {
  const { path } = part;
  if ('text' in part) return [[path, utf8.encode(part.text)]];
  if ('bytes' in part) return [[path, part.bytes]];
  if ('checkpoint' in part)
    throw new IlrecError(
      `${caller}: a model that reads text must be saved into a folder by tfjs-ilrec/node, got another place; use ` +
        "items.style 'items' or 'ids' in a browser",
    );
  const { json, weights } = await encodeModel(part.model, caller);
  return [
    [`${path}/${WEIGHTS_FILE}`, weights],
    [`${path}/${MODEL_FILE}`, utf8.encode(jsonText(json))],
  ];
}

export function jsonText(value: unknown): string {
  return JSON.stringify(value, null, 2) + '\n';
}

/** One JSON value per line. */
export function linesText(values: readonly unknown[]): string {
  return values.map((value) => JSON.stringify(value) + '\n').join('');
}

/** The files of a folder within a source. */
export function sourceWithin(source: FileSource, folder: string): FileSource {
  const pathOf = (file: string): string => `${folder}/${file}`;
  return {
    name: `${source.name}/${folder}`,
    has: (file) => source.has(pathOf(file)),
    size: (file) => source.size(pathOf(file)),
    read: (file, start, end) => source.read(pathOf(file), start, end),
  };
}

function browserFiles(caller: string): NamedFiles {
  return {
    async readNamed(path, option) {
      throw new IlrecError(
        `${option.replace(/^trainRun: /, `${caller}: `)} must be left out in a browser, which reads no files, got ${path}`,
      );
    },
    async loadNamedCheckpoint(location) {
      if (/^https?:\/\//.test(location)) return await loadPretrainedFrom(fetchSource(location), {}, caller);
      throw new IlrecError(
        `${caller}: backbone.pretrained must be the URL of a checkpoint in a browser, got ${location}`,
      );
    },
  };
}

function missing(caller: string, source: string, file: string): IlrecError {
  return new IlrecError(
    `${caller}: ${source} must hold a whole run, got none of its file ${file}; give the folder that ` +
      '`ilrec train --out` or save() wrote',
  );
}
