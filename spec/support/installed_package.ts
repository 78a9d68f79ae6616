import { execFile, execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const repository = fileURLToPath(new URL('../../', import.meta.url));
const peers = ['@tensorflow/tfjs-core', '@tensorflow/tfjs-layers', '@tensorflow/tfjs-backend-wasm'];

/** The environment without what `npm test` adds to it, which would lead an inner npm to this repository. */
const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.toLowerCase().startsWith('npm_')),
);

/** An empty folder into which the packed package and its peers are installed, as a user would. */
export interface InstalledPackage {
  readonly folder: string;
  /** The installed package. */
  readonly root: string;
  readonly tarballBytes: number;
  /** Writes a file beside node_modules. */
  write(name: string, text: string): void;
  /** Runs Node there and gives what it printed. @throws when it fails, with what it said. */
  node(...args: string[]): Promise<string>;
  remove(): void;
}

/** Builds where `dist` is older than the sources, packs and installs. */
export function installPackage(): InstalledPackage {
  const folder = mkdtempSync(join(tmpdir(), 'tfjs-ilrec-'));
  const tarball = pack(folder);
  writeFileSync(join(folder, 'package.json'), '{ "private": true }');
  const root = join(folder, 'node_modules', 'tfjs-ilrec');
  try {
    npm(
      folder,
      'install',
      '--prefer-offline',
      '--no-audit',
      '--no-fund',
      `./${tarball}`,
      ...peers.map((name) => `${name}@${manifest(name).version}`),
    );
  } catch {
    installOffline(folder, tarball, root);
  }
  return {
    folder,
    root,
    tarballBytes: statSync(join(folder, tarball)).size,
    write: (name, text) => writeFileSync(join(folder, name), text),
    node: async (...args) =>
      (await promisify(execFile)(process.execPath, args, { cwd: folder, env: environment })).stdout,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Builds where `dist` is older than the sources. */
export function buildWhereOld(): void {
  if (!isBuilt()) npm(repository, 'run', 'build');
}

/** Puts the packed package into a folder's node_modules, with this repository's copies of what it depends on. */
export function unpackPackage(folder: string): void {
  const tarball = pack(folder);
  const root = join(folder, 'node_modules', 'tfjs-ilrec');
  mkdirSync(root, { recursive: true });
  execFileSync('tar', ['-xzf', tarball, '-C', root, '--strip-components=1'], { cwd: folder });
  for (const name of Object.keys(manifest('tfjs-ilrec', root).dependencies ?? {})) {
    mkdirSync(dirname(join(folder, 'node_modules', name)), { recursive: true });
    symlinkSync(join(repository, 'node_modules', name), join(folder, 'node_modules', name));
  }
}

/** @returns the tarball's name. */
function pack(folder: string): string {
  buildWhereOld();
  npm(repository, 'pack', '--ignore-scripts', '--pack-destination', folder);
  return readdirSync(folder).find((name) => name.endsWith('.tgz')) as string;
}

interface Manifest {
  version: string;
  dependencies?: Record<string, string>;
}

function manifest(name: string, folder = join(repository, 'node_modules', name)): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
}

function npm(folder: string, ...args: string[]): void {
  execFileSync('npm', args, { cwd: folder, env: environment, stdio: 'pipe' });
}

/** Whether `dist` is newer than all it is made of. */
function isBuilt(): boolean {
  const made = ['index.js', 'evaluation.cjs', 'cli.js', 'tfjs-ilrec.umd.min.js', 'evaluation.d.cts'].map((name) =>
    join(repository, 'dist', name),
  );
  if (!made.every((path) => existsSync(path))) return false;
  const sources = readdirSync(join(repository, 'src'), { recursive: true, encoding: 'utf8' }).map((name) =>
    join(repository, 'src', name),
  );
  const newest = Math.max(
    ...[...sources, join(repository, 'package.json'), join(repository, 'rollup.config.js')].map(
      (path) => statSync(path).mtimeMs,
    ),
  );
  return Math.min(...made.map((path) => statSync(path).mtimeMs)) > newest;
}

/** Without a registry: unpacks the tarball and copies what it needs from this repository's node_modules. */
function installOffline(folder: string, tarball: string, root: string): void {
  mkdirSync(root, { recursive: true });
  execFileSync('tar', ['-xzf', tarball, '-C', root, '--strip-components=1'], { cwd: folder });
  const wanted = [...peers, ...Object.keys(manifest('tfjs-ilrec', root).dependencies ?? {})];
  const copied = new Set<string>();
  for (let name = wanted.pop(); name !== undefined; name = wanted.pop()) {
    const from = join(repository, 'node_modules', name);
    if (copied.has(name) || !existsSync(from)) continue;
    copied.add(name);
    mkdirSync(dirname(join(folder, 'node_modules', name)), { recursive: true });
    cpSync(from, join(folder, 'node_modules', name), { recursive: true });
    wanted.push(...Object.keys(manifest(name).dependencies ?? {}));
  }
}
