import type * as tfc from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import type { Page } from 'playwright-core';
import type * as Ilrec from 'tfjs-ilrec';
import { inChromium, type WatchedPage } from '../support/browser';
import { messageOf } from '../support/folders';

declare const tf: typeof tfc;
declare const ilrec: typeof Ilrec;

const SOFTWARE =
  "useBackend: backend 'webgpu' must have a GPU, got a software adapter, which is slower than wasm; turn on hardware acceleration in the browser, or ask for 'webgpu' by name";

describe('useBackend in Chromium', () => {
  const chromium = inChromium();
  let watched: WatchedPage;
  const open = async (name: string, prepare?: (page: Page) => Promise<unknown>): Promise<void> =>
    void (watched = await chromium.open(`/pages/${name}`, { prepare }));

  /** Calls `useBackend`. @returns the backend or the error, then the reasons for which others were skipped. */
  async function ask(backend?: string): Promise<string[]> {
    return await watched.page.evaluate(async (name) => {
      const skipped: string[] = [];
      const used = await ilrec
        .useBackend(name as Ilrec.BrowserBackendName, { onSkip: (reason) => skipped.push(reason) })
        .catch((error: Error) => `${error.name}: ${error.message}`);
      return [used, ...skipped];
    }, backend);
  }

  it('takes wasm by itself, and says why a software adapter was passed over', async () => {
    await open('scripts.html');
    expect(await ask()).to.deep.equal(['wasm', SOFTWARE]);
    expect(await watched.page.evaluate(() => tf.getBackend())).to.equal('wasm');
  });

  it('takes cpu where the binary of wasm is not found, and says so', async () => {
    await open('scripts.html', (page) => page.route('**/*.wasm', (route) => route.fulfill({ status: 404 })));
    const [used, webgpu, wasm] = await ask();
    expect([used, webgpu]).to.deep.equal(['cpu', SOFTWARE]);
    expect(wasm).to.match(
      /^useBackend: backend 'wasm' must start, got ".+"; serve the \.wasm files of the package's dist folder beside the script, or name their folder with setWasmPaths$/,
    );
    expect(watched.complaints()).to.not.be.empty; // the browser reports the missing file
  });

  it('says so where the browser gives no adapter', async () => {
    await open('scripts.html');
    await watched.page.evaluate('navigator.gpu.requestAdapter = async () => null');
    const reason =
      'useBackend: backend \'webgpu\' must start, got "no adapter"; turn on hardware acceleration in the browser, or update the driver';
    expect(await ask()).to.deep.equal(['wasm', reason]);
    expect(await ask('webgpu')).to.deep.equal([`IlrecError: ${reason}`]);
    expect(
      await watched.page.evaluate(async () => [tf.getBackend(), (await tf.matMul([[1, 2]], [[3], [4]]).data())[0]]),
    ).to.deep.equal(['wasm', 11]); // as before
  });

  it('makes one change after the other, where several are asked for at once', async () => {
    await open('scripts.html');
    const used = await watched.page.evaluate(async () => [
      ...(await Promise.all(
        (['wasm', 'wasm', 'cpu', 'wasm'] as const).map(async (name) => await ilrec.useBackend(name)),
      )),
      tf.getBackend(),
    ]);
    expect(used).to.deep.equal(['wasm', 'wasm', 'cpu', 'wasm', 'wasm']);
  });

  it('says so where the page has no navigator.gpu', async () => {
    await open('scripts.html', (page) =>
      page.addInitScript('Object.defineProperty(Navigator.prototype, "gpu", { get: () => undefined })'),
    );
    const reason =
      "useBackend: backend 'webgpu' needs navigator.gpu when its package is loaded, got none; open the page over https or localhost, in a browser that has it";
    expect(await ask()).to.deep.equal(['wasm', reason]);
  });

  it('names the import and the script tag of a package that is not loaded', async () => {
    await open('no_backend.html');
    for (const name of ['webgpu', 'wasm', 'cpu']) {
      const found = `@tensorflow/tfjs-backend-${name}`;
      expect(await ask(name)).to.deep.equal([
        `IlrecError: useBackend: backend '${name}' needs ${found}, got no such package on this page; add import '${found}', or <script src="https://cdn.jsdelivr.net/npm/${found}/dist/tf-backend-${name}.min.js"></script>`,
      ]);
    }
    expect(await ask()).to.deep.equal([
      "IlrecError: useBackend: 'auto' needs a backend's package on the page, got none that works; add import '@tensorflow/tfjs-backend-wasm', or <script src=\"https://cdn.jsdelivr.net/npm/@tensorflow/tfjs-backend-wasm/dist/tf-backend-wasm.min.js\"></script>",
    ]);
  });

  it('refuses webgl and names that it does not know', async () => {
    await open('scripts.html');
    expect(await ask('webgl')).to.deep.equal([
      "IlrecError: useBackend: 'webgl' is not supported for training: its weights drift; use 'webgpu' or 'wasm'",
    ]);
    expect(await ask('node')).to.deep.equal([
      "IlrecError: useBackend: backend must be one of auto, webgpu, wasm, cpu, got 'node'",
    ]);
  });

  describe('the device of webgpu', () => {
    beforeEach(async () => {
      await open('scripts.html');
      expect(await ask('webgpu')).to.deep.equal(['webgpu']);
    });

    it('has every limit of the adapter, and its optional features that kernels use', async () => {
      const missing = await watched.page.evaluate(async () => {
        const adapter = await (
          navigator as unknown as {
            gpu: { requestAdapter(): Promise<{ limits: Record<string, number>; features: Set<string> }> };
          }
        ).gpu.requestAdapter();
        const { device } = tf.backend() as unknown as {
          device: { limits: Record<string, number>; features: Set<string> };
        };
        const limits: string[] = [];
        for (const name in adapter.limits) if (device.limits[name] !== adapter.limits[name]) limits.push(name);
        return [
          ...limits,
          ...['subgroups', 'shader-f16', 'timestamp-query'].filter(
            (name) => adapter.features.has(name) && !device.features.has(name),
          ),
        ];
      });
      expect(missing).to.deep.equal([]);
    });

    it('rejects every read once it is lost, those in progress too', async () => {
      const told = await watched.page.evaluate(async () => {
        const sum = tf.sum(tf.range(0, 5000));
        const before = (await sum.data())[0];
        const messageOf = (error: Error): string => `${error.name}: ${error.message}`;
        const inProgress = tf.square(sum).data().then(String, messageOf);
        (tf.backend() as unknown as { device: { destroy(): void } }).device.destroy();
        return [
          before,
          await inProgress,
          await sum.data().then(String, messageOf),
          await tf.square(sum).data().then(String, messageOf),
        ];
      });
      expect(told[0]).to.equal(12_497_500);
      for (const message of told.slice(1)) {
        expect(message).to.match(
          /^IlrecError: webgpu: the device was lost \(destroyed: .+\) with every tensor on it; call useBackend\('webgpu'\) to start another, make the model again and resume training from the last checkpoint$/,
        );
      }
    });

    it('is replaced by the next call once it is lost', async () => {
      const [isOther, used, sum] = await watched.page.evaluate(async () => {
        const { device } = tf.backend() as unknown as { device: { destroy(): void } };
        device.destroy();
        const used = await ilrec.useBackend('webgpu');
        return [
          (tf.backend() as unknown as { device: object }).device !== device,
          used,
          (await tf.sum(tf.range(0, 5000)).data())[0],
        ];
      });
      expect([isOther, used, sum]).to.deep.equal([true, 'webgpu', 12_497_500]);
    });

    it('rejects the next read after a command that failed unseen', async () => {
      const told = await watched.page.evaluate(async () => {
        const sum = tf.sum(tf.range(0, 5000));
        const { device } = tf.backend() as unknown as { device: { createBuffer(descriptor: object): unknown } };
        device.createBuffer({ size: 2 ** 40, usage: 0x80 }); // STORAGE, larger than any limit
        const messageOf = (error: Error): string => `${error.name}: ${error.message}`;
        return [await sum.data().then(String, messageOf), await tf.square(sum).data().then(String, messageOf)];
      });
      expect(told[0]).to.match(
        /^IlrecError: webgpu: a command failed with ".*exceeds the max.*", and results since then are wrong; resume training from the last checkpoint, with smaller batches if memory ran out$/,
      );
      expect(told[1]).to.match(/^\d/);
    });

    it('refuses to read at once from a software adapter, which would end its process', async () => {
      const message = await watched.page.evaluate(() => {
        try {
          return String(tf.square(tf.range(0, 5000)).dataSync()[0]);
        } catch (error) {
          return (error as Error).message;
        }
      });
      expect(message).to.equal(
        'webgpu: a tensor on a software adapter must be read with await data(), got dataSync(), which would end the GPU process',
      );
    });

    it('rejects what waits when the browser loses its GPU process, and starts again after a reload', async () => {
      const reading = watched.page.evaluate(async () => {
        for (;;) await tf.sum(tf.range(0, 5000)).data();
      });
      const session = await watched.page.context().browser()?.newBrowserCDPSession();
      const { processInfo } = (await session?.send('SystemInfo.getProcessInfo')) ?? { processInfo: [] };
      process.kill(processInfo.find(({ type }) => type === 'GPU')?.id as number, 'SIGKILL');
      expect(await messageOf(reading)).to.match(
        /IlrecError: webgpu: the device was lost \(unknown: .+\) with every tensor on it; call useBackend\('webgpu'\) to start another, make the model again and resume training from the last checkpoint/,
      );
      await watched.page.reload();
      expect(await ask('webgpu')).to.deep.equal(['webgpu']);
    });
  });
});
