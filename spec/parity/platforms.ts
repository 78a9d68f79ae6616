import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';
import { build } from 'esbuild';
import { type BackendName, presentBackends } from '../support/backends';
import { findChromium, launchChromium, openPage } from '../support/browser';
import { serveFolders } from '../support/static_server';
import type { PlatformRun } from './parity_case';
import { runCases } from './run_cases';

export interface Platform {
  readonly name: string;
  /** Why it cannot run here; null where it can. */
  readonly missing: string | null;
  run(): Promise<PlatformRun>;
}

/** The cpu backend in Node, which all others are held against. */
export const reference: Platform = inNode('cpu (Node)', 'cpu', '');

export const platforms: readonly Platform[] = [
  inNode('wasm (Node)', 'wasm', ''),
  inNode('tfjs-node', 'tensorflow', '@tensorflow/tfjs-node is not installed'),
  inNode('WebGPU in Node (Dawn)', 'webgpu', 'the package webgpu finds no adapter'),
  inChromium('wasm in Chromium', 'wasm'),
  inChromium('WebGPU in Chromium', 'webgpu'),
];

function inNode(name: string, backend: BackendName, missing: string): Platform {
  return {
    name,
    missing: presentBackends.includes(backend) ? null : missing,
    async run() {
      await tf.setBackend(backend);
      await tf.ready();
      return await runCases();
    },
  };
}

function inChromium(name: string, backend: 'wasm' | 'webgpu'): Platform {
  const chromium = findChromium();
  return {
    name,
    missing: chromium === undefined ? 'no Chromium is found' : null,
    async run() {
      const folder = mkdtempSync(join(tmpdir(), 'ilrec-parity-'));
      writeFileSync(join(folder, 'index.html'), '<!doctype html><link rel="icon" href="data:,"><script src="/page.js"></script>');
      const here = dirname(fileURLToPath(import.meta.url));
      await build({ entryPoints: [join(here, 'page.ts')], outfile: join(folder, 'page.js'), bundle: true, format: 'iife', logLevel: 'error', define: { global: 'globalThis' } });
      const wasm = join(dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm/package.json')), 'dist');
      const server = await serveFolders({ '/': folder, '/wasm/': wasm });
      const browser = await launchChromium(chromium as string);
      try {
        const { page, complaints } = await openPage(browser);
        await page.goto(`${server.origin}/index.html`);
        const run = await page.evaluate((asked) => (globalThis as unknown as { runParity(name: string): Promise<PlatformRun> }).runParity(asked), backend);
        const errors = complaints();
        return errors.length === 0 ? run : { ...run, errors: { ...run.errors, 'the page': errors.join('; ') } };
      } finally {
        await browser.close();
        await server.close();
        rmSync(folder, { recursive: true, force: true });
      }
    },
  };
}
