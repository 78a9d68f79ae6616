import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'vite';
import { repository, unpackPackage } from './installed_package';

/** A small application of the packed package, built with vite into a folder of its own. */
export async function bundlePages(): Promise<{ folder: string; remove(): void }> {
  const root = mkdtempSync(join(tmpdir(), 'ilrec-bundle-'));
  cpSync(join(repository, 'spec/support/pages'), root, { recursive: true });
  mkdirSync(join(root, 'node_modules'));
  symlinkSync(join(repository, 'node_modules/@tensorflow'), join(root, 'node_modules/@tensorflow'));
  unpackPackage(root);
  await build({
    root: join(root, 'bundled'),
    base: './',
    logLevel: 'error',
    build: { outDir: join(root, 'out'), minify: false, modulePreload: { polyfill: false } },
    worker: { format: 'es' },
  });
  return { folder: join(root, 'out'), remove: () => rmSync(root, { recursive: true, force: true }) };
}
