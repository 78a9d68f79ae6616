import { build } from 'esbuild';
import { join } from 'node:path';
import { repository } from './installed_package';

/** What a bundler for browsers makes of an entry. */
export interface BundledEntry {
  /** Minified size; packages of TensorFlow are not part of it. */
  readonly kilobytes: number;
  /** The files of `src` that the bundle reaches, such as 'data/k_core.ts'. */
  readonly files: string[];
  /** The packages of TensorFlow that the bundle imports. */
  readonly imports: string[];
}

/** Bundles a file of `src` for browsers. It rejects when the file reaches a module of Node. */
export async function bundleEntry(entry: string): Promise<BundledEntry> {
  const { metafile } = await build({
    absWorkingDir: repository,
    entryPoints: [join('src', entry)],
    external: ['@tensorflow/*'],
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    metafile: true,
    write: false,
    logLevel: 'silent',
  });
  const [output] = Object.values(metafile.outputs);
  return {
    kilobytes: output.bytes / 1000,
    files: Object.keys(metafile.inputs).flatMap((file) => (file.startsWith('src/') ? [file.slice(4)] : [])),
    imports: [...new Set(output.imports.map(({ path }) => path))].sort(),
  };
}
