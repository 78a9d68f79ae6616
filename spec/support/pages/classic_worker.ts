/** A worker without modules: the script tags' files, by importScripts. */
const scope = self as unknown as {
  importScripts(...urls: string[]): void;
  tf: { wasm: { setWasmPaths(folder: string): void } };
  ilrec: typeof import('tfjs-ilrec');
};
const tfjs = '/packages/@tensorflow';
scope.importScripts(
  `${tfjs}/tfjs/dist/tf.min.js`,
  `${tfjs}/tfjs-backend-wasm/dist/tf-backend-wasm.min.js`,
  `${tfjs}/tfjs-backend-webgpu/dist/tf-backend-webgpu.min.js`,
  '/dist/tfjs-ilrec.umd.min.js',
);
scope.tf.wasm.setWasmPaths(`${tfjs}/tfjs-backend-wasm/dist/`); // else looked for beside this file

const parts = Promise.all([
  import(new URL('/pages/scenario.js', self.location.href).href),
  import(new URL('/pages/call_worker.js', self.location.href).href),
]);
self.onmessage = async (event) => {
  const [{ play }, { answerCalls }] = (await parts) as [typeof import('./scenario'), typeof import('./call_worker')];
  answerCalls((call) => play(scope.ilrec, call));
  self.onmessage?.(event);
};
