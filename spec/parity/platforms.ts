import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';
import { build } from 'esbuild';
import { type BackendName, presentBackends } from '../support/backends';
import { inChromium } from '../support/browser';
import type { PlatformRun } from './parity_case';
import { runCases } from './run_cases';

export interface Platform {
  readonly name: string;
  /** Why the platform cannot run here; null if it can. */
  readonly missing: string | null;
  /** Must be called in a suite, as it may add hooks. @returns a function that runs the cases, as `runCases` does. */
  open(): (timed: boolean) => Promise<PlatformRun>;
}

/** The cpu backend in Node, to which all others are compared. */
export const reference: Platform = inNode('cpu (Node)', 'cpu', '');

export const platforms: readonly Platform[] = [
  inNode('wasm (Node)', 'wasm', ''),
  inNode('tfjs-node', 'tensorflow', '@tensorflow/tfjs-node is not installed'),
  inNode('WebGPU in Node (Dawn)', 'webgpu', 'the package webgpu finds no adapter'),
  inBrowser('wasm in Chromium', 'wasm'),
  inBrowser('WebGPU in Chromium', 'webgpu'),
];

function inNode(name: string, backend: BackendName, missing: string): Platform {
  return {
    name,
    missing: presentBackends.includes(backend) ? null : missing,
    open: () => async (timed) => {
      await tf.setBackend(backend);
      await tf.ready();
      return await runCases(timed);
    },
  };
}

function inBrowser(name: string, backend: 'wasm' | 'webgpu'): Platform {
  return {
    name,
    missing: null, // inChromium skips the suite
    open() {
      const folder = mkdtempSync(join(tmpdir(), 'ilrec-parity-'));
      const chromium = inChromium(async () => {
        await bundlePage(folder);
        return { '/parity/': folder };
      });
      after(() => rmSync(folder, { recursive: true, force: true }));
      return async (timed) => {
        const { page } = await chromium.open('/parity/index.html');
        return await page.evaluate(
          ([name, isTimed]) =>
            (globalThis as unknown as { runParity(...given: unknown[]): Promise<PlatformRun> }).runParity(
              name,
              isTimed,
            ),
          [backend, timed],
        );
      };
    },
  };
}

async function bundlePage(folder: string): Promise<void> {
  writeFileSync(
    join(folder, 'index.html'),
    '<!doctype html><link rel="icon" href="data:,"><script src="page.js"></script>',
  );
  const entry = fileURLToPath(new URL('page.ts', import.meta.url));
  await build({
    entryPoints: [entry],
    outfile: join(folder, 'page.js'),
    bundle: true,
    format: 'iife',
    logLevel: 'error',
    define: { global: 'globalThis' },
  });
}
