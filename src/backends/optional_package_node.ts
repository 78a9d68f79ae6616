import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** An installed package that this one does not require. */
export interface OptionalPackage {
  readonly name: string;
  readonly version: string;
  readonly folder: string;
  /** The file URL of its entry, for `import()`. */
  readonly entry: string;
}

/**
 * Finds a package beside this one, or else in the current folder, which a globally installed command line needs.
 * Undefined if it is in neither.
 */
export function findPackage(name: string): OptionalPackage | undefined {
  for (const start of [import.meta.url, pathToFileURL(join(process.cwd(), 'package.json')).href]) {
    const require = createRequire(start);
    try {
      const manifest = require.resolve(`${name}/package.json`);
      const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };
      return { name, version, folder: dirname(manifest), entry: pathToFileURL(require.resolve(name)).href };
    } catch {
      continue; // not found from here
    }
  }
  return undefined;
}

/** Imports a package, ES module or CommonJS, and returns its exports. */
export async function importPackage<T>({ entry }: OptionalPackage): Promise<T> {
  const module = (await import(entry)) as { default?: object };
  return { ...module, ...module.default } as T;
}
