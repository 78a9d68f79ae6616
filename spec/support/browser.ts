import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { buildWhereOld, repository } from './installed_package';
import { serveFolders, type StaticServer } from './static_server';
import { skipBecause } from './skip';

/** The path of Chromium: the environment variable CHROMIUM, or the first one on PATH. */
function findChromium(): string | undefined {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  const folders = (process.env.PATH ?? '').split(delimiter);
  return ['chromium', 'chromium-browser', 'google-chrome']
    .flatMap((name) => folders.map((folder) => join(folder, name)))
    .find(isExecutable);
}

/** A page that records its errors: those on the console and those that nothing caught. */
export interface WatchedPage {
  readonly page: Page;
  /** The errors since the last call. */
  complaints(): string[];
}

export interface Chromium {
  /**
   * Opens a page with empty storage. The server has this repository's `dist`, its packages and the pages of the specs.
   * The page is closed after the case, unless it is kept.
   */
  open(path: string, options?: { kept?: boolean; prepare?: (page: Page) => Promise<unknown> }): Promise<WatchedPage>;
  /** The server's address. */
  readonly origin: string;
}

/**
 * Starts Chromium for the cases of a suite, with WebGPU on its software adapter. Without Chromium they are skipped. A
 * case fails if its page reports an error.
 *
 * @param more returns further folders to serve, by prefix.
 */
export function inChromium(more: () => Promise<Record<string, string>> = async () => ({})): Chromium {
  const executablePath = findChromium();
  let browser: Browser;
  let server: StaticServer;
  let opened: (WatchedPage & { kept: boolean })[] = [];

  before(async function () {
    if (executablePath === undefined) {
      if (process.env.ILREC_SPEC_REQUIRED?.includes('chromium'))
        throw new Error('specs: chromium is required, and no chromium, chromium-browser or google-chrome is on PATH');
      skipBecause(this, 'no chromium, chromium-browser or google-chrome is on PATH, and CHROMIUM names none');
    }
    buildWhereOld();
    server = await serveFolders({
      '/pages/': join(repository, 'spec/support/pages'),
      '/packages/': join(repository, 'node_modules'),
      '/dist/': join(repository, 'dist'),
      ...(await more()),
    });
    browser = await chromium.launch({
      executablePath,
      timeout: 0, // no timeout: mocha has one, and a busy machine trips Playwright's
      args: ['--no-sandbox', '--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'],
    });
  });
  afterEach(async () => {
    const complaints = opened.flatMap((watched) => watched.complaints());
    for (const { page, kept } of opened) if (!kept) await page.context().close();
    opened = opened.filter(({ kept }) => kept);
    if (complaints.length > 0) throw new Error(`the page complains: ${complaints.join('; ')}`);
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });

  return {
    get origin() {
      return server.origin;
    },
    async open(path, { kept = false, prepare } = {}) {
      const context = await browser.newContext();
      context.setDefaultTimeout(0);
      const page = await context.newPage();
      const found: string[] = [];
      page.on('pageerror', (error) => found.push(String(error)));
      page.on('console', (message) => {
        if (message.type() === 'error') found.push(message.text());
      });
      await page.addInitScript('globalThis.__name = (named) => named'); // tsx adds calls of it to the functions that `evaluate` sends to the page
      await prepare?.(page);
      const watched = { page, kept, complaints: () => found.splice(0) };
      opened.push(watched);
      await page.goto(server.origin + path);
      return watched;
    },
  };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
