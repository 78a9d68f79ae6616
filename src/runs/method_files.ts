import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { loadModel, saveModel } from '../checkpoints/model_files_node';
import { writeFileAtomically, writeJsonAtomically } from '../files/atomic_file_node';
import { saveAdapter } from '../lora/peft_files_node';
import type { RunFiles } from '../methods/method';
import { loadPretrained } from '../pretrained/load_pretrained_node';
import { savePretrained } from '../pretrained/save_pretrained_node';
import { nodeFiles } from '../recommender/named_files_node';
import { checkFileName } from '../recommender/run_copy';
import { decodeSafetensors, encodeSafetensors } from '../safetensors/safetensors';
import { readRunJson, readRunLines, writeRunLines } from './run_json';
import { runPaths } from './run_paths';

/** The files of a run for its method, and the names that the method has written. */
export interface RecordedRunFiles extends RunFiles {
  readonly written: ReadonlySet<string>;
}

/** @param folder the run folder; it may not be there yet. */
export function runFiles(folder: string): RecordedRunFiles {
  const written = new Set<string>();
  const pathOf = (name: string): string => {
    checkFileName(name);
    return join(folder, name);
  };
  return {
    folder,
    written,
    readJson: (name) => readRunJson(pathOf(name)),
    readLines: (name) => readRunLines(pathOf(name)),
    async writeJson(name, value) {
      written.add(name);
      await writeJsonAtomically(pathOf(name), value);
    },
    async writeLines(name, values) {
      written.add(name);
      await writeRunLines(pathOf(name), values);
    },
    async readTensors(name) {
      try {
        return decodeSafetensors(await readFile(pathOf(name)), name, 'trainRun').tensors;
      } catch {
        return null;
      }
    },
    async writeTensors(name, tensors) {
      written.add(name);
      await writeFileAtomically(pathOf(name), encodeSafetensors({ tensors, metadata: {} }), 'trainRun');
    },
    loadModel: () => loadModel(runPaths(folder).model),
    async saveModel(model) {
      written.add(basename(runPaths(folder).model));
      await saveModel(model, runPaths(folder).model);
    },
    loadCheckpoint: (name) => loadPretrained(pathOf(name)),
    async saveCheckpoint(name, checkpoint) {
      written.add(name);
      await savePretrained(pathOf(name), checkpoint);
    },
    async saveAdapter(name, adapter) {
      written.add(name);
      await saveAdapter(adapter, pathOf(name));
    },
    ...nodeFiles,
  };
}
