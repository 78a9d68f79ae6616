import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { FusionConfig } from '../config/shared_config';
import { FUSION_NEED } from '../methods/train_config';

/** Paths inside a run folder. The folders of a method's needs lie beside them, each under its role. */
export function runPaths(
  folder: string,
): Record<'manifest' | 'config' | 'items' | 'log' | 'model' | 'checkpoints', string> {
  return {
    manifest: join(folder, 'manifest.json'),
    config: join(folder, 'config.json'),
    items: join(folder, 'items.jsonl'),
    log: join(folder, 'log.jsonl'),
    model: join(folder, 'model'),
    checkpoints: join(folder, 'checkpoints'),
  };
}

/** The folder of a run that was trained for a method's need. */
export function needFolder(folder: string, role: string): string {
  return join(folder, role);
}

/** Where the other model of a run lies: the run that the config names, or one inside. */
export function fusionFolder(folder: string, { run }: NonNullable<FusionConfig>): string {
  return run ?? needFolder(folder, FUSION_NEED.role);
}

/** Whether the folder holds a run. */
export function isRun(folder: string): boolean {
  return existsSync(runPaths(folder).manifest);
}
