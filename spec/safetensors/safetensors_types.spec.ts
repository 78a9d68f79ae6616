import { expect } from 'chai';
import { decodeValues, encodeValues } from '../../src/safetensors/safetensors_types';
import { normals } from '../support/random';

const bits = (values: Float32Array): number[] => [...new Uint32Array(values.buffer, values.byteOffset, values.length)];
const halves = (...values: number[]): Uint8Array => new Uint8Array(Uint16Array.from(values).buffer);
const read16 = (bytes: Uint8Array): number[] => [...new Uint16Array(Uint8Array.from(bytes).buffer)];

describe('decodeValues', () => {
  it('reads float16 as its definition says: (-1)^s 2^(e - 15) (1 + f / 1024)', () => {
    // 0x3c00: e = 15; 0xc500: e = 17, f = 256: -4 * 1.25; 0x7bff: the greatest; 0x0400: 2^-14, the least normal;
    // 0x0001: 2^-24; 0x03ff: 1023 * 2^-24
    const values = decodeValues(
      halves(0x3c00, 0xc500, 0x7bff, 0x0400, 0x0001, 0x83ff, 0x7c00, 0xfc00, 0x0000, 0x8000),
      'F16',
    );
    expect([...values]).to.deep.equal([1, -5, 65504, 2 ** -14, 2 ** -24, -1023 * 2 ** -24, Infinity, -Infinity, 0, -0]);
    expect(decodeValues(halves(0x7e00), 'F16')[0]).to.be.NaN;
  });

  it('reads bfloat16 as the upper half of a float32', () => {
    expect(bits(decodeValues(halves(0x3f80, 0xc2f7, 0x0001, 0x7f80, 0xffc1), 'BF16'))).to.deep.equal([
      0x3f800000, 0xc2f70000, 0x00010000, 0x7f800000, 0xffc10000,
    ]);
  });

  it('reads float32 and int32 from any offset', () => {
    const bytes = new Uint8Array(new ArrayBuffer(13), 1, 12);
    bytes.set(new Uint8Array(Float32Array.of(1.5, -2, NaN).buffer));
    expect([...decodeValues(bytes, 'F32')]).to.deep.equal([1.5, -2, NaN]);
    bytes.set(new Uint8Array(Int32Array.of(-7, 0, 2 ** 24).buffer));
    expect([...decodeValues(bytes, 'I32')]).to.deep.equal([-7, 0, 2 ** 24]);
  });
});

describe('encodeValues', () => {
  it('gives back every float16 and every bfloat16', () => {
    const all = Uint16Array.from({ length: 1 << 16 }, (_, i) => i);
    for (const dtype of ['F16', 'BF16'] as const) {
      const decoded = decodeValues(new Uint8Array(all.buffer), dtype);
      const again = read16(encodeValues(decoded, dtype));
      const wrong = again.filter((value, i) => value !== i && !Number.isNaN(decoded[i]));
      expect(wrong, dtype).to.deep.equal([]);
      expect(
        again
          .filter((_, i) => Number.isNaN(decoded[i]))
          .every((value) => Number.isNaN(decodeValues(halves(value), dtype)[0])),
        dtype,
      ).to.equal(true);
    }
  });

  it('rounds to the nearest, ties to even', () => {
    // spacing at 1: 2^-10 in float16, 2^-7 in bfloat16
    const halfStep = (step: number): Float32Array =>
      Float32Array.of(1 + step / 2, 1 + 1.5 * step, 1 + step / 2 + 2 ** -20, 1 + step / 2 - 2 ** -20);
    expect(read16(encodeValues(halfStep(2 ** -10), 'F16'))).to.deep.equal([0x3c00, 0x3c02, 0x3c01, 0x3c00]);
    expect(read16(encodeValues(halfStep(2 ** -7), 'BF16'))).to.deep.equal([0x3f80, 0x3f82, 0x3f81, 0x3f80]);
    // subnormals of float16 are multiples of 2^-24; 65520 lies between the greatest and what would be next
    expect(
      read16(encodeValues(Float32Array.of(2 ** -25, 1.5 * 2 ** -24, 2 ** -25 + 2 ** -40, 65519, 65520, -1e9), 'F16')),
    ).to.deep.equal([0, 2, 1, 0x7bff, 0x7c00, 0xfc00]);
  });

  it('errs by half a step at most', () => {
    const values = normals(2000, 5);
    for (const [dtype, fraction] of [
      ['F16', 2 ** -11],
      ['BF16', 2 ** -8],
    ] as const) {
      const rounded = decodeValues(encodeValues(values, dtype), dtype);
      expect(
        Math.max(...values.map((value, i) => Math.abs(rounded[i] - value) / Math.max(Math.abs(value), 2 ** -14))),
      ).to.be.at.most(fraction);
    }
  });

  it('takes values that are a part of a buffer', () => {
    const part = Float32Array.of(9, 1, 2).subarray(1);
    expect([...decodeValues(encodeValues(part, 'F32'), 'F32')]).to.deep.equal([1, 2]);
    expect([...decodeValues(encodeValues(part, 'BF16'), 'BF16')]).to.deep.equal([1, 2]);
  });
});
