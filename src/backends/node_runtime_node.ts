import { createRequire } from 'node:module';
import { join } from 'node:path';
import { type Dawn, placeDawn } from './dawn';
import { findPackage, importPackage } from './optional_package_node';

/** The first Node release without two functions that tfjs-node calls. */
const NODE_WITHOUT_OLD_UTIL = 23;

/** What is wrong with tfjs-node on a version of Node; undefined if nothing is. */
export function nodeVersionProblem(version: string = process.versions.node): string | undefined {
  if (Number.parseInt(version, 10) < NODE_WITHOUT_OLD_UTIL) return undefined;
  return (
    `Node ${version} has no util.isNullOrUndefined, which @tensorflow/tfjs-node calls in many operations; ` +
    'useBackend restores it, but a program that imports tfjs-node itself needs Node 20 or 22'
  );
}

/** Restores the two functions of `node:util` that tfjs-node calls and Node 23 removed. */
export function restoreOldUtil(): void {
  const util = createRequire(import.meta.url)('node:util') as Record<string, unknown>;
  util.isNullOrUndefined ??= (value: unknown) => value === null || value === undefined;
  util.isArray ??= Array.isArray;
}

/**
 * Makes the package `webgpu` (Dawn) the process's `navigator.gpu`, where tfjs's backend looks when it is imported.
 *
 * @returns false if there already is a `navigator.gpu`, or the package is not installed.
 */
export async function installDawn(): Promise<boolean> {
  if ('gpu' in (globalThis.navigator ?? {})) return false;
  const found = findPackage('webgpu');
  if (found === undefined) return false;
  placeDawn(await importPackage<Dawn>(found));
  return true;
}

/** Undoes `installDawn`. Call it if its adapter is not used: a process that holds an adapter ends later. */
export function removeDawn(): void {
  delete (globalThis.navigator as { gpu?: object }).gpu;
}

/** Tells tfjs's wasm backend the folder of its binaries. */
export async function locateWasm(): Promise<void> {
  const found = findPackage('@tensorflow/tfjs-backend-wasm');
  if (found === undefined) return;
  const { setWasmPaths } = await importPackage<{ setWasmPaths(folder: string): void }>(found);
  setWasmPaths(join(found.folder, 'dist') + '/');
}
