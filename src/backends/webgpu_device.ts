import * as tf from '@tensorflow/tfjs-core';
import { IlrecError } from '../errors';
import { shadow } from '../shadow';

/** What an adapter says about itself. */
export interface AdapterFacts {
  readonly info?: {
    readonly vendor: string;
    readonly architecture: string;
    readonly description?: string;
    readonly isFallbackAdapter?: boolean;
  };
  /** In browsers whose `info` does not have it yet. */
  readonly isFallbackAdapter?: boolean;
}

/** The part of a GPUAdapter that is used here. */
export interface GpuAdapter extends AdapterFacts {
  readonly features: { has(name: string): boolean };
  readonly limits: Readonly<Record<string, unknown>>;
  requestDevice(descriptor: { requiredFeatures: string[]; requiredLimits: Record<string, number> }): Promise<GpuDevice>;
}

interface GpuDevice {
  readonly lost: Promise<{ readonly reason: string; readonly message: string }>;
  addEventListener(
    name: 'uncapturederror',
    listener: (event: { readonly error: { readonly message: string } }) => void,
  ): void;
}

interface Gpu {
  requestAdapter(options?: { powerPreference?: string }): Promise<GpuAdapter | null>;
}

/** The part of tfjs's webgpu backend that is used here. */
interface GuardedBackend {
  readonly device: GpuDevice;
  readonly tensorMap: { has(dataId: object): boolean; get(dataId: object): { readonly values: unknown } };
  read(dataId: object): Promise<unknown>;
  readSync(dataId: object): unknown;
}

/**
 * Requested if the adapter has them. The first two are for kernels, the others for tfjs's profiler and for drawing on a
 * canvas.
 */
const FEATURES = ['subgroups', 'shader-f16', 'timestamp-query', 'bgra8unorm-storage'];
/** The same as in tfjs's own registration, above its other backends. */
const PRIORITY = 3;
/** How long to wait for the news of a lost device, which may come after the reads that fail because of it. */
const LOSS_WAIT_MS = 200;

type Factory = () => Promise<tf.KernelBackend>;

/** Factories that start tfjs's backend on our device. */
const ourFactories = new WeakSet<Factory>();
/** For each backend, a promise that resolves when its device is lost. */
const losses = new WeakMap<GuardedBackend, Promise<void>>();

/** The adapter that tfjs would use; null if there is none. */
export async function findAdapter(): Promise<GpuAdapter | null> {
  const lowPower = tf.env().getFlags().WEBGPU_USE_LOW_POWER_GPU === true;
  return (await gpuOf()?.requestAdapter({ powerPreference: lowPower ? 'low-power' : 'high-performance' })) ?? null;
}

/** Whether an adapter runs on the CPU, which is slower than wasm. */
export function isSoftware({ info, isFallbackAdapter }: AdapterFacts): boolean {
  return (
    (info?.isFallbackAdapter ?? isFallbackAdapter) === true ||
    /swiftshader|software|llvmpipe|lavapipe/i.test(`${info?.architecture} ${info?.description}`)
  );
}

/** The adapter's name for messages. */
export function nameOf({ info }: AdapterFacts): string {
  return info?.description || `${info?.vendor ?? ''} ${info?.architecture ?? ''}`.trim() || 'without a name';
}

/**
 * Makes tfjs start its webgpu backend on a device with all limits of the adapter and the optional features that kernels
 * use. Call it after the backend's package is loaded and before the backend starts.
 *
 * From then on, reads fail with one sentence after the device was lost or reported an uncaptured error. A backend that
 * has already started keeps its device, and its reads are guarded too. A backend whose device is lost is removed with
 * its tensors, and tfjs starts a new one when it is set again.
 */
export async function registerWebGpu(): Promise<void> {
  const registered = tf.findBackendFactory('webgpu') as Factory | null | undefined;
  if (registered == null) return;
  const started = tf.engine().registry.webgpu as unknown as GuardedBackend | undefined;
  if (started !== undefined) {
    guard(started, false);
    if (!(await isLost(started))) return;
  } else if (ourFactories.has(registered)) {
    return;
  }
  tf.removeBackend('webgpu');
  tf.registerBackend('webgpu', ourFactories.has(registered) ? registered : factoryOver(registered), PRIORITY);
}

function factoryOver(stock: Factory): Factory {
  const factory = async (): Promise<tf.KernelBackend> => {
    const adapter = await findAdapter();
    if (adapter === null) throw new Error('no adapter');
    const device = await adapter.requestDevice(everythingOf(adapter));
    const backend = await onDevice(stock, adapter, device);
    guard(backend as unknown as GuardedBackend, isSoftware(adapter));
    return backend;
  };
  ourFactories.add(factory);
  return factory;
}

async function isLost(backend: GuardedBackend): Promise<boolean> {
  return await Promise.race([
    losses.get(backend)?.then(() => true) ?? false,
    new Promise<boolean>((resolve) => setTimeout(() => resolve(false), LOSS_WAIT_MS)),
  ]);
}

function gpuOf(): Gpu | undefined {
  return (globalThis.navigator as { gpu?: Gpu } | undefined)?.gpu;
}

function everythingOf({ features, limits }: GpuAdapter): {
  requiredFeatures: string[];
  requiredLimits: Record<string, number>;
} {
  const requiredLimits: Record<string, number> = {};
  for (const name in limits) if (typeof limits[name] === 'number') requiredLimits[name] = limits[name]; // `for in` includes getters of the prototype
  return { requiredFeatures: FEATURES.filter((name) => features.has(name)), requiredLimits };
}

/**
 * Calls tfjs's factory so that it gets our device. The factory asks for an adapter synchronously, and later asks that
 * adapter for a device.
 */
function onDevice(
  stock: Factory,
  { features, limits, info }: GpuAdapter,
  device: GpuDevice,
): Promise<tf.KernelBackend> {
  const restore = shadow(gpuOf() as Gpu, 'requestAdapter', () => async () => ({
    features,
    limits,
    info,
    requestDevice: async () => device,
  }));
  try {
    return stock();
  } finally {
    restore();
  }
}

/**
 * Makes the backend's reads throw after its device was lost or has failed.
 * @param software whether synchronous reads would end the browser's GPU process.
 */
function guard(backend: GuardedBackend, software: boolean): void {
  if (losses.has(backend)) return;
  let loss: IlrecError | null = null;
  let failure: IlrecError | null = null;
  const lost = backend.device.lost.then(({ reason, message }) => {
    loss = new IlrecError(
      `webgpu: the device was lost (${reason}: ${oneLine(message)}) with every tensor on it; call ` +
        "useBackend('webgpu') to start another, make the model again and resume training from the last checkpoint",
    );
  });
  losses.set(backend, lost);
  backend.device.addEventListener('uncapturederror', ({ error }) => {
    failure ??= new IlrecError(
      `webgpu: a command failed with "${oneLine(error.message)}", and results since then are wrong; resume ` +
        'training from the last checkpoint, with smaller batches if memory ran out',
    );
  });
  const refuse = (): void => {
    const found = loss ?? failure;
    failure = null; // reported once; a lost device stays lost
    if (found !== null) throw found;
  };

  shadow(backend, 'read', (read) => async (dataId) => {
    refuse();
    try {
      return await read(dataId);
    } catch (error) {
      await Promise.race([lost, new Promise((resolve) => setTimeout(resolve, LOSS_WAIT_MS))]);
      throw loss ?? error;
    } finally {
      refuse();
    }
  });
  shadow(backend, 'readSync', (readSync) => (dataId) => {
    refuse();
    const isReadable = backend.tensorMap.has(dataId) && backend.tensorMap.get(dataId).values != null;
    if (globalThis.OffscreenCanvas === undefined && !isReadable)
      throw new IlrecError(
        'webgpu: a tensor on the device must be read with await data() here, got dataSync(), which needs a canvas',
      );
    if (software && !isReadable)
      throw new IlrecError(
        'webgpu: a tensor on a software adapter must be read with await data(), got dataSync(), which would end ' +
          'the GPU process',
      );
    return readSync(dataId);
  });
}

/** The first line of a driver's message, which often has many. */
function oneLine(message: string): string {
  return message.trim().split('\n')[0];
}
