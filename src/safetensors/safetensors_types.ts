/** Bytes of one value, for each type of the safetensors format. */
export const BYTES_PER_VALUE = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  F8_E4M3: 1,
  F8_E5M2: 1,
  C64: 8,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U64: 8,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1,
} as const;
/** A type of the safetensors format. */
export type SafetensorsType = keyof typeof BYTES_PER_VALUE;

/** Types that can be read; all become float32. */
export const READABLE_TYPES: readonly SafetensorsType[] = ['F32', 'F16', 'BF16', 'I32'];

/** Types that float32 values can be written as. */
export type WrittenType = 'F32' | 'F16' | 'BF16';

/** Largest finite value of float16. */
export const MAX_FLOAT16 = 65504;

let float16Table: Float32Array | null = null;

/** The value of each of the 65,536 float16 numbers, by its bits. */
export function float16Values(): Float32Array {
  return (float16Table ??= new Float32Array(
    Uint32Array.from({ length: 1 << 16 }, (_, half) => bitsOfFloat16(half)).buffer,
  ));
}

/**
 * Converts little-endian values to float32: float16 and bfloat16 exactly, NaN payloads included; int32 rounded to the
 * nearest.
 *
 * @param bytes a whole number of values; no alignment needed.
 */
export function decodeValues(bytes: Uint8Array, type: SafetensorsType): Float32Array {
  const length = bytes.length / BYTES_PER_VALUE[type];
  if (type === 'F32') return new Float32Array(alignedBuffer(bytes));
  if (type === 'I32') return Float32Array.from(new Int32Array(alignedBuffer(bytes)));
  const bits = new Uint32Array(length);
  if (type === 'BF16') {
    for (let i = 0; i < length; i++) bits[i] = (bytes[2 * i] << 16) | (bytes[2 * i + 1] << 24);
  } else if (type === 'F16') {
    const table = new Uint32Array(float16Values().buffer); // bits, so that NaN payloads stay
    for (let i = 0; i < length; i++) bits[i] = table[bytes[2 * i] | (bytes[2 * i + 1] << 8)];
  } else {
    throw new Error(`decodeValues: type must be one of ${READABLE_TYPES.join(', ')}, got ${type}`);
  }
  return new Float32Array(bits.buffer);
}

/**
 * Converts float32 values to little-endian bytes. F16 and BF16 round to the nearest, ties to even; values beyond
 * float16's range become infinity.
 */
export function encodeValues(values: Float32Array, type: WrittenType): Uint8Array {
  if (type === 'F32') return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const narrow = new Uint16Array(values.length);
  const convert = type === 'BF16' ? bfloat16Of : float16Of;
  for (let i = 0; i < bits.length; i++) narrow[i] = convert(bits[i]);
  return new Uint8Array(narrow.buffer);
}

/** The bits of a float32 with the value of a float16. */
function bitsOfFloat16(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0x1f) return sign | 0x7f800000 | (fraction << 13);
  // 112: difference of the exponents' biases, 127 - 15
  if (exponent > 0) return sign | ((exponent + 112) << 23) | (fraction << 13);
  if (fraction === 0) return sign;
  const shift = Math.clz32(fraction) - 21; // a subnormal: its highest bit becomes the implicit one
  return sign | ((113 - shift) << 23) | (((fraction << shift) & 0x3ff) << 13);
}

function bfloat16Of(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40; // NaN stays NaN
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

function float16Of(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00; // NaN
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // 65520 and above round to infinity
  if (magnitude >= 0x38800000) return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
  if (magnitude < 0x33000000) return sign; // below half of the smallest subnormal, 2^-25
  const shift = 126 - (magnitude >>> 23); // 14 to 24: bits that a subnormal loses
  const fraction = (magnitude & 0x7fffff) | 0x800000;
  const kept = fraction >>> shift;
  const rest = fraction & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return sign | (kept + (rest > half || (rest === half && (kept & 1) === 1) ? 1 : 0));
}

function alignedBuffer(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}
