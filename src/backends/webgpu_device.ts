import * as tf from '@tensorflow/tfjs-core';
import { IlrecError } from '../errors';
import { shadow } from '../shadow';

/** What an adapter tells of itself. */
export interface AdapterFacts {
  readonly info?: {
    readonly vendor: string;
    readonly architecture: string;
    readonly description?: string;
    readonly isFallbackAdapter?: boolean;
  };
  /** Where browsers told it before `info` did. */
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

/** Taken where the adapter has them: the first two for kernels, then tfjs's profiler and its drawing on a canvas. */
const FEATURES = ['subgroups', 'shader-f16', 'timestamp-query', 'bgra8unorm-storage'];
/** Above tfjs's other backends, as its own registration is. */
const PRIORITY = 3;
/** The news of a loss may come after the reads that fail of it. */
const LOSS_WAIT_MS = 200;

type Factory = () => Promise<tf.KernelBackend>;

const ourFactories = new WeakSet<Factory>();
/** What becomes of each backend's device: resolves when it is lost. */
const losses = new WeakMap<GuardedBackend, Promise<void>>();

/** The adapter that tfjs would take; null where there is none. */
export async function findAdapter(): Promise<GpuAdapter | null> {
  const lowPower = tf.env().getFlags().WEBGPU_USE_LOW_POWER_GPU === true;
  return (await gpuOf()?.requestAdapter({ powerPreference: lowPower ? 'low-power' : 'high-performance' })) ?? null;
}

/** Whether an adapter is a program on the CPU, which is slower than wasm. */
export function isSoftware({ info, isFallbackAdapter }: AdapterFacts): boolean {
  return (
    (info?.isFallbackAdapter ?? isFallbackAdapter) === true ||
    /swiftshader|software|llvmpipe|lavapipe/i.test(`${info?.architecture} ${info?.description}`)
  );
}

/** What a person would call the adapter. */
export function nameOf({ info }: AdapterFacts): string {
  return info?.description || `${info?.vendor ?? ''} ${info?.architecture ?? ''}`.trim() || 'without a name';
}

/**
 * Has tfjs start its webgpu backend on a device with every limit of the adapter and the optional features that kernels use; call it when the backend's
 * package is loaded and before the backend starts. A device that is lost, or an error that nothing has captured, then rejects the reads that follow with
 * one sentence. A backend that has started keeps its device and is watched from now on; one whose device is lost is removed, and its tensors are gone: tfjs
 * starts another when it is set again.
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
  for (const name in limits) if (typeof limits[name] === 'number') requiredLimits[name] = limits[name]; // getters of the prototype too
  return { requiredFeatures: FEATURES.filter((name) => features.has(name)), requiredLimits };
}

/** Calls tfjs's factory, which asks for an adapter at once and for a device of it later: it gets ours. */
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

/** Wraps the backend's reads, so that nothing is read of a device that is lost or has failed. @param software whether reading at once would end the browser's GPU process. */
function guard(backend: GuardedBackend, software: boolean): void {
  if (losses.has(backend)) return;
  let loss: IlrecError | null = null;
  let failure: IlrecError | null = null;
  const lost = backend.device.lost.then(({ reason, message }) => {
    loss = new IlrecError(
      `webgpu: reading needs the device, got it lost (${reason}: ${oneLine(message)}) with every tensor on it; useBackend('webgpu') starts another: make the model again and resume training from the last checkpoint`,
    );
  });
  losses.set(backend, lost);
  backend.device.addEventListener('uncapturederror', ({ error }) => {
    failure ??= new IlrecError(
      `webgpu: every command must succeed, got "${oneLine(error.message)}"; what was computed since is wrong: resume training from the last checkpoint, with smaller batches where memory ran out`,
    );
  });
  const refuse = (): void => {
    const found = loss ?? failure;
    failure = null; // told once; a loss stays
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
        'webgpu: a tensor on a software adapter must be read with await data(), got dataSync(), which would end the GPU process',
      );
    return readSync(dataId);
  });
}

/** Drivers write several lines; the first says it. */
function oneLine(message: string): string {
  return message.trim().split('\n')[0];
}
