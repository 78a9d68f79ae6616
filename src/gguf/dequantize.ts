import { decodeValues, float16Values } from '../safetensors/safetensors_types';
import { GGUF_BLOCKS, type GgufType } from './gguf_types';

/** Writes the values of the block at `at` to `out` from `to` on. */
type BlockReader = (bytes: Uint8Array, at: number, out: Float32Array, to: number) => void;

/**
 * Computes the values of quantised blocks, in the layouts of ggml. Each value is rounded to float32 once, as in the
 * `gguf` package.
 *
 * ```
 * Q4_0, Q5_0, Q8_0   x = d (q - 8), d (q - 16), d q
 * Q4_1, Q5_1         x = d q + m
 * Q4_K, Q5_K         x = d s q - m t,      s and t of each 32 values, in 6 bits
 * Q6_K               x = d s (q - 32),     s of each 16 values, in 8 bits
 * ```
 * @param bytes whole blocks; no alignment needed.
 * @returns the values, in order.
 */
export function dequantize(bytes: Uint8Array, type: GgufType): Float32Array {
  if (type === 'F32' || type === 'F16' || type === 'BF16') return decodeValues(bytes, type);
  const { values, bytes: size } = GGUF_BLOCKS[type];
  const read = BLOCK_READERS[type];
  const blocks = bytes.length / size;
  const out = new Float32Array(blocks * values);
  for (let block = 0; block < blocks; block++) read(bytes, block * size, out, block * values);
  return out;
}

const BLOCK_READERS: Readonly<Record<Exclude<GgufType, 'F32' | 'F16' | 'BF16'>, BlockReader>> = {
  Q4_0: (bytes, at, out, to) => {
    const scale = half(bytes, at);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + 2 + i];
      out[to + i] = scale * ((pair & 15) - 8);
      out[to + 16 + i] = scale * ((pair >> 4) - 8);
    }
  },
  Q4_1: (bytes, at, out, to) => {
    const [scale, least] = [half(bytes, at), half(bytes, at + 2)];
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + 4 + i];
      out[to + i] = scale * (pair & 15) + least;
      out[to + 16 + i] = scale * (pair >> 4) + least;
    }
  },
  Q5_0: (bytes, at, out, to) => {
    const scale = half(bytes, at);
    for (let i = 0; i < 32; i++) out[to + i] = scale * (fiveBits(bytes, at + 2, i) - 16);
  },
  Q5_1: (bytes, at, out, to) => {
    const [scale, least] = [half(bytes, at), half(bytes, at + 2)];
    for (let i = 0; i < 32; i++) out[to + i] = scale * fiveBits(bytes, at + 4, i) + least;
  },
  Q8_0: (bytes, at, out, to) => {
    const scale = half(bytes, at);
    for (let i = 0; i < 32; i++) out[to + i] = scale * signed(bytes[at + 2 + i]);
  },
  Q4_K: (bytes, at, out, to) => readK(bytes, at, at + 16, null, out, to),
  Q5_K: (bytes, at, out, to) => readK(bytes, at, at + 48, at + 16, out, to),
  Q6_K: (bytes, at, out, to) => {
    const [high, scales] = [at + 128, at + 192];
    const scale = half(bytes, at + 208);
    for (let i = 0; i < 256; i++) {
      const [part, group, lane] = [i >> 7, (i >> 5) & 3, i & 31]; // halves, groups of 32 within a half
      const low = bytes[at + 64 * part + 32 * (group & 1) + lane] >> (4 * (group >> 1));
      const top = bytes[high + 32 * part + lane] >> (2 * group);
      const q = ((low & 15) | ((top & 3) << 4)) - 32;
      out[to + i] = scale * signed(bytes[scales + (i >> 4)]) * q;
    }
  },
};

/**
 * A block of Q4_K or Q5_K: two float16 scales and 12 bytes of scales and minima, then the values.
 *
 * @param low where the lower four bits of the values start.
 * @param high where the fifth bits start, null without any.
 */
function readK(bytes: Uint8Array, at: number, low: number, high: number | null, out: Float32Array, to: number): void {
  const [scaleOfScales, scaleOfMinima] = [half(bytes, at), half(bytes, at + 2)];
  for (let group = 0; group < 8; group++) {
    const [scale, least] = sixBits(bytes, at + 4, group);
    const [s, m] = [scaleOfScales * scale, scaleOfMinima * least];
    const from = low + 32 * (group >> 1);
    for (let lane = 0; lane < 32; lane++) {
      const top = high === null ? 0 : (bytes[high + lane] >> group) & 1;
      const q = ((bytes[from + lane] >> (4 * (group & 1))) & 15) | (top << 4);
      out[to + 32 * group + lane] = s * q - m;
    }
  }
}

/** Scale and minimum of one of the 8 groups, six bits each in 12 bytes. Those of the last 4 lie in the spare bits. */
function sixBits(bytes: Uint8Array, at: number, group: number): readonly [number, number] {
  const [scale, least] = [bytes[at + (group & 3)], bytes[at + 4 + (group & 3)]];
  if (group < 4) return [scale & 63, least & 63];
  const rest = bytes[at + 4 + group];
  return [(rest & 15) | ((scale >> 2) & 48), (rest >> 4) | ((least >> 2) & 48)];
}

/** Value `i` of 32 of five bits: four bytes of fifth bits, then 16 of pairs, the second of which is 16 values later. */
function fiveBits(bytes: Uint8Array, at: number, i: number): number {
  const top = (bytes[at + (i >> 3)] >> (i & 7)) & 1;
  return ((bytes[at + 4 + (i & 15)] >> (i < 16 ? 0 : 4)) & 15) | (top << 4);
}

function half(bytes: Uint8Array, at: number): number {
  return float16Values()[bytes[at] | (bytes[at + 1] << 8)];
}

function signed(byte: number): number {
  return (byte << 24) >> 24;
}
