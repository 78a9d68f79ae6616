import { expect } from 'chai';
import { decodeSafetensors, encodeSafetensors, type TensorData } from '../../src/safetensors/safetensors';

describe('safetensors', () => {
  const tensors = new Map<string, TensorData>([
    ['a', { shape: [2, 3], data: Float32Array.of(1, -2, 3.5, NaN, Infinity, 1e-45) }],
    ['b', { shape: [], data: Int32Array.of(-7) }],
    ['empty', { shape: [0, 5], data: new Float32Array(0) }],
  ]);

  it('gives back names, shapes, types, values and metadata', () => {
    const file = decodeSafetensors(encodeSafetensors({ tensors, metadata: { state: '{"ä": 1}' } }), 'x');
    expect([...file.tensors]).to.deep.equal([...tensors]);
    expect(file.metadata).to.deep.equal({ state: '{"ä": 1}' });
    const fromBuffer = decodeSafetensors(Buffer.from(encodeSafetensors({ tensors, metadata: {} })), 'x'); // as Node reads files
    expect([...fromBuffer.tensors]).to.deep.equal([...tensors]);
  });

  it("writes the header's length, a padded JSON header, and little-endian values one after the other", () => {
    const bytes = encodeSafetensors({
      tensors: new Map([['w', { shape: [1], data: Float32Array.of(1) }]]),
      metadata: {},
    });
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    expect(length % 8).to.equal(0);
    expect(JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)))).to.deep.equal({
      __metadata__: {},
      w: { dtype: 'F32', shape: [1], data_offsets: [0, 4] },
    });
    expect([...bytes.subarray(8 + length)]).to.deep.equal([0, 0, 0x80, 0x3f]);
  });

  it('aligns the values, however long the header is', () => {
    for (let length = 1; length <= 8; length++) {
      const one = new Map([['w'.repeat(length), { shape: [1], data: Float32Array.of(1) }]]);
      expect(encodeSafetensors({ tensors: one, metadata: {} }).length % 8, `${length} characters`).to.equal(4);
    }
  });

  it('refuses files that are cut off anywhere', () => {
    const bytes = encodeSafetensors({ tensors, metadata: {} });
    for (const length of [0, 7, 8, 20, bytes.length - 1]) {
      expect(() => decodeSafetensors(bytes.subarray(0, length), 'cut.safetensors'), `${length} bytes`).to.throw(
        /decodeSafetensors: cut\.safetensors must be a whole safetensors file, got .*; use another copy of it/,
      );
    }
  });

  it('refuses types it does not know', () => {
    const header = new TextEncoder().encode(JSON.stringify({ h: { dtype: 'F16', shape: [1], data_offsets: [0, 2] } }));
    const bytes = new Uint8Array(8 + header.length + 2);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
    bytes.set(header, 8);
    expect(() => decodeSafetensors(bytes, 'half')).to.throw(
      'decodeSafetensors: half must hold F32 and I32 tensors, got F16 for "h"; convert it first',
    );
  });
});
