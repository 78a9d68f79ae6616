import { createRequire } from 'node:module';
import { join } from 'node:path';
import { type Dawn, placeDawn } from './dawn';
import { findPackage, importPackage } from './optional_package_node';

/** The first Node release without the functions that tfjs-node still calls. */
const NODE_WITHOUT_OLD_UTIL = 23;

/** What a user of tfjs-node must know on this Node; undefined where nothing is wrong. */
export function nodeVersionProblem(version: string = process.versions.node): string | undefined {
  if (Number.parseInt(version, 10) < NODE_WITHOUT_OLD_UTIL) return undefined;
  return (
    `Node ${version} has no util.isNullOrUndefined, which @tensorflow/tfjs-node calls in many operations; ` +
    'useBackend puts it back, but a program that imports tfjs-node by itself needs Node 20 or 22'
  );
}

/** Puts back the two functions of `node:util` that Node 23 removed and tfjs-node calls. */
export function restoreOldUtil(): void {
  const util = createRequire(import.meta.url)('node:util') as Record<string, unknown>;
  util.isNullOrUndefined ??= (value: unknown) => value === null || value === undefined;
  util.isArray ??= Array.isArray;
}

/**
 * Makes the `webgpu` package (Dawn) the process's `navigator.gpu`, as tfjs's backend looks there when it is imported.
 *
 * @returns whether it did: not where there is a `navigator.gpu`, or no package.
 */
export async function installDawn(): Promise<boolean> {
  if ('gpu' in (globalThis.navigator ?? {})) return false;
  const found = findPackage('webgpu');
  if (found === undefined) return false;
  placeDawn(await importPackage<Dawn>(found));
  return true;
}

/** Takes away what `installDawn` has put there, where its adapter is not wanted: a process that holds one ends later. */
export function removeDawn(): void {
  delete (globalThis.navigator as { gpu?: object }).gpu;
}

/** Tells tfjs's wasm backend where its binaries are. */
export async function locateWasm(): Promise<void> {
  const found = findPackage('@tensorflow/tfjs-backend-wasm');
  if (found === undefined) return;
  const { setWasmPaths } = await importPackage<{ setWasmPaths(folder: string): void }>(found);
  setWasmPaths(join(found.folder, 'dist') + '/');
}
