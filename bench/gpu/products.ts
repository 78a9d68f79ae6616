import * as tf from '@tensorflow/tfjs-core';
import { registerKernels, unregisterKernels } from 'tfjs-ilrec';
import { timeEach } from './device';

export interface ProductSpeed {
  readonly shape: string;
  /** GFLOP/s of tfjs's kernel and of this package's. */
  readonly stock: number;
  readonly own: number;
}

interface Product {
  readonly shape: string;
  readonly batch?: number;
  readonly m: number;
  readonly k: number;
  readonly n: number;
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
}

const LARGE: readonly Product[] = [
  { shape: '1024³', m: 1024, k: 1024, n: 1024 },
  { shape: '4096³', m: 4096, k: 4096, n: 4096 },
  { shape: '4096³, A·Bᵀ', m: 4096, k: 4096, n: 4096, transposeB: true },
  { shape: '4096³, Aᵀ·B', m: 4096, k: 4096, n: 4096, transposeA: true },
  { shape: '[128, 576]·[576, 49152]', m: 128, k: 576, n: 49152 },
  { shape: '72 of [512, 64]·[64, 512]', batch: 72, m: 512, k: 64, n: 512, transposeB: true },
];
const SMALL: readonly Product[] = [
  { shape: '256³', m: 256, k: 256, n: 256 },
  { shape: '256³, A·Bᵀ', m: 256, k: 256, n: 256, transposeB: true },
  { shape: '256³, Aᵀ·B', m: 256, k: 256, n: 256, transposeA: true },
  { shape: '[64, 64]·[64, 8000]', m: 64, k: 64, n: 8000 },
  { shape: '8 of [64, 16]·[16, 64]', batch: 8, m: 64, k: 16, n: 64, transposeB: true },
];

export async function measureProducts(seconds: number, isSmall: boolean): Promise<ProductSpeed[]> {
  const speeds: ProductSpeed[] = [];
  for (const product of isSmall ? SMALL : LARGE) {
    unregisterKernels();
    const stock = await speedOf(product, seconds);
    registerKernels();
    speeds.push({ shape: product.shape, stock, own: await speedOf(product, seconds) });
  }
  return speeds;
}

async function speedOf(
  { batch = 1, m, k, n, transposeA = false, transposeB = false }: Product,
  seconds: number,
): Promise<number> {
  const a = tf.fill(transposeA ? [batch, k, m] : [batch, m, k], 0.5);
  const b = tf.fill(transposeB ? [batch, n, k] : [batch, k, n], 0.25);
  const time = await timeEach(() => tf.matMul(a, b, transposeA, transposeB).dispose(), seconds);
  tf.dispose([a, b]);
  return (2 * batch * m * k * n) / time / 1e6;
}
