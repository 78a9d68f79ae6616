/**
 * Packs the GPU bench with all that it needs but a driver: Node, Dawn and the Vulkan loader of this machine, for a
 * machine without a network.
 *
 *   npx tsx bench/gpu/pack.ts OUT       then there: OUT/run.sh [--small] [--models 10,135] [--json FILE]
 */
import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const [out] = process.argv.slice(2);
if (out === undefined || existsSync(out)) {
  process.stderr.write(
    `pack: needs a folder that is not there yet, got ${out === undefined ? 'none' : `${out}, which is there`}\n`,
  );
  process.exit(1);
}
const root = fileURLToPath(new URL('../..', import.meta.url));
const dawn = dirname(createRequire(import.meta.url).resolve('webgpu/package.json'));
const binaries = `dist/${process.platform}-${process.platform === 'darwin' ? 'universal' : process.arch}`;

mkdirSync(join(out, 'lib'), { recursive: true });
await build({
  entryPoints: [join(root, 'bench/gpu/main.ts')],
  outfile: join(out, 'gpu.mjs'),
  bundle: true,
  platform: 'node',
  format: 'esm',
  external: ['webgpu'], // a native addon
  banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  logLevel: 'error',
});
copyFileSync(process.execPath, join(out, 'node'));
for (const part of ['package.json', 'index.js', 'LICENSE.md', binaries])
  cpSync(join(dawn, part), join(out, 'node_modules/webgpu', part), { recursive: true });
const loader = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib64', '/usr/lib']
  .map((folder) => join(folder, 'libvulkan.so.1'))
  .find((path) => existsSync(path));
if (loader !== undefined) copyFileSync(loader, join(out, 'lib', 'libvulkan.so.1'));
const script =
  '#!/bin/sh\nhere=$(cd "$(dirname "$0")" && pwd)\nLD_LIBRARY_PATH="$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" exec "$here/node" "$here/gpu.mjs" "$@"\n';
writeFileSync(join(out, 'run.sh'), script);
chmodSync(join(out, 'run.sh'), 0o755);
process.stdout.write(
  `${out}: copy it whole, then run ${join(out, 'run.sh')}${loader === undefined && process.platform === 'linux' ? '; libvulkan.so.1 was not found here and must be there' : ''}\n`,
);
