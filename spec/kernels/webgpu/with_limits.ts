import * as tf from '@tensorflow/tfjs-core';

interface Limited {
  limits: object;
}

/** Runs while our shaders believe that the device of webgpu has smaller limits; the device itself keeps its own. */
export async function withLimits(smaller: Record<string, number>, run: () => Promise<void>): Promise<void> {
  await tf.setBackend('webgpu');
  const { device } = tf.backend() as unknown as { device: Limited };
  const { limits } = device;
  const own = Object.getOwnPropertyDescriptor(device, 'limits');
  const fewer = new Proxy(limits, {
    get: (_, name: string) => smaller[name] ?? (limits as Record<string, number>)[name],
  });
  Object.defineProperty(device, 'limits', { value: fewer, configurable: true });
  try {
    await run();
  } finally {
    if (own === undefined) delete (device as Partial<Limited>).limits;
    else Object.defineProperty(device, 'limits', own);
  }
}
