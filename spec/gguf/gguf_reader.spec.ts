import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { IlrecError } from '../../src/errors';
import { dequantize } from '../../src/gguf/dequantize';
import { GGUF_BLOCKS, type GgufType } from '../../src/gguf/gguf_types';
import { type GgufReader, openGguf } from '../../src/gguf/gguf_reader';
import { folderSource } from '../../src/files/folder_source_node';
import { messageOf } from '../support/folders';
import { memorySource } from '../support/memory_source';

const FOLDER = fileURLToPath(new URL('../golden/gguf', import.meta.url));
const TYPES = readFileSync(`${FOLDER}/types.gguf`);
/** Made by the gguf package; see the file's `source`. */
const golden = JSON.parse(readFileSync(`${FOLDER}/golden.json`, 'utf8')) as {
  metadata: Record<string, unknown>;
  tensors: Record<string, { dtype: string; shape: number[]; float32: string }>;
};

function valuesOf(name: string): Float32Array {
  return new Float32Array(new Uint8Array(Buffer.from(golden.tensors[name].float32, 'base64')).buffer);
}

/** Bytes of a float16 of the form 2^exponent. */
const half = (exponent: number): number[] => [0, (exponent + 15) << 2];

async function open(bytes: Uint8Array): Promise<GgufReader> {
  return await openGguf(memorySource({ 'x.gguf': bytes }, 'SRC'), 'x.gguf');
}

/** The file with other bytes from a position on. */
function changed(at: number, ...bytes: number[]): Uint8Array {
  const copy = new Uint8Array(TYPES);
  copy.set(bytes, at);
  return copy;
}

describe('dequantize', () => {
  it('computes what the layouts of ggml say', () => {
    // d = 2^-1; the first pair of nibbles is 1 and 15: (1 - 8) / 2 and, 16 values later, (15 - 8) / 2
    const q4 = dequantize(Uint8Array.from([...half(-1), 0xf1, ...new Array<number>(15).fill(0x88)]), 'Q4_0');
    expect([q4[0], q4[16], q4[1], q4[31]]).to.deep.equal([-3.5, 3.5, 0, 0]);
    // d = 2^-1, m = 2^2: q d + m
    const q41 = dequantize(Uint8Array.from([...half(-1), ...half(2), 0xf1, ...new Array<number>(15).fill(0)]), 'Q4_1');
    expect([q41[0], q41[16], q41[1]]).to.deep.equal([4.5, 11.5, 4]);
    // the fifth bits of values 0 and 17 are set: (16 + 1 - 16) d, and (16 + 2 - 16) d where the high nibble is 2
    const q5 = dequantize(
      Uint8Array.from([...half(-1), 0x01, 0x00, 0x02, 0x00, 0x01, 0x20, ...new Array<number>(14).fill(0)]),
      'Q5_0',
    );
    expect([q5[0], q5[17], q5[1]]).to.deep.equal([0.5, 1, -8]);
    const q51 = dequantize(
      Uint8Array.from([...half(-1), ...half(2), 0x01, 0, 0x02, 0, 0x01, 0x20, ...new Array<number>(14).fill(0)]),
      'Q5_1',
    );
    expect([q51[0], q51[17], q51[1]]).to.deep.equal([12.5, 13, 4]);
    const q8 = dequantize(Uint8Array.from([...half(-1), 0x80, 0x7f, ...new Array<number>(30).fill(0)]), 'Q8_0');
    expect([q8[0], q8[1], q8[2]]).to.deep.equal([-64, 63.5, 0]);
  });

  it('unpacks the six-bit scales and minima of the K types', () => {
    // d = dmin = 1. Scales of group 1: 3; of group 5: 2 (low bits) + 16 (high bits of byte 1). Minima: of group 1: 5; of
    // group 5: 1 + 32.
    const scales = [0, 3 | 0x40, 0, 0, 0, 5 | 0x80, 0, 0, 0, 2 | 0x10, 0, 0];
    const low = new Array<number>(128).fill(0x77); // every nibble is 7
    const q4 = dequantize(Uint8Array.from([...half(0), ...half(0), ...scales, ...low]), 'Q4_K');
    expect([q4[0], q4[32], q4[63], q4[160], q4[191], q4[255]]).to.deep.equal([0, 16, 16, 93, 93, 0]);
    const high = [0b100010, ...new Array<number>(31).fill(0)]; // the fifth bits of the first values of groups 1 and 5
    const q5 = dequantize(Uint8Array.from([...half(0), ...half(0), ...scales, ...high, ...low]), 'Q5_K');
    expect([q5[32], q5[33], q5[160], q5[161]]).to.deep.equal([3 * 23 - 5, 16, 18 * 23 - 33, 93]);
    // Q6_K: d = 1, the scale of values 16 to 31 is -2, the others 1; all q are 0 - 32 but for value 16: 63 - 32
    const six = new Uint8Array(210);
    [six[16], six[128 + 16]] = [0x0f, 0x03];
    six.fill(1, 192, 208);
    six[193] = 0xfe;
    six.set(half(0), 208);
    const q6 = dequantize(six, 'Q6_K');
    expect([q6[0], q6[16], q6[17], q6[32], q6[255]]).to.deep.equal([-32, -62, 64, -32, -32]);
  });

  it('reads several blocks wherever they lie in memory', () => {
    for (const [type, { values, bytes }] of Object.entries(GGUF_BLOCKS) as [
      GgufType,
      { values: number; bytes: number },
    ][]) {
      const block = Uint8Array.from({ length: bytes }, (_, i) => (7 * i) & 63);
      const odd = new Uint8Array(2 * bytes + 1);
      odd.set(block, 1);
      odd.set(block, 1 + bytes);
      const one = dequantize(block, type);
      expect(one, type).to.have.length(values);
      expect([...dequantize(odd.subarray(1), type)], type).to.deep.equal([...one, ...one]);
    }
  });
});

describe('openGguf', () => {
  it('reads metadata of all kinds', async () => {
    const { metadata } = await openGguf(folderSource(FOLDER), 'types.gguf');
    expect(metadata.get('general.architecture')).to.equal('llama');
    for (const [key, value] of Object.entries(golden.metadata)) {
      const found = metadata.get(key);
      expect(typeof found === 'bigint' ? String(found) : found, key).to.deep.equal(value);
    }
  });

  it('gives exactly the values of the gguf package, row by row and transposed', async () => {
    const { entries, read } = await openGguf(folderSource(FOLDER), 'types.gguf');
    expect([...entries.keys()]).to.deep.equal(Object.keys(golden.tensors));
    for (const [name, { dtype, shape }] of Object.entries(golden.tensors)) {
      expect(entries.get(name), name).to.deep.equal({ dtype, shape, file: 'types.gguf' });
      const values = valuesOf(name);
      expect(await read(name), name).to.deep.equal(values);
      if (shape.length !== 2) continue;
      const [rows, width] = shape;
      const transposed = Float32Array.from(values, (_, i) => values[(i % rows) * width + Math.floor(i / rows)]);
      expect(await read(name, { transposed: true }), name).to.deep.equal(transposed);
    }
  });

  it('reads another alignment, and names a type that it cannot read', async () => {
    const { entries, metadata, read } = await openGguf(folderSource(FOLDER), 'unknown.gguf');
    expect(metadata.get('general.alignment')).to.equal(64);
    expect([...(await read('known'))]).to.deep.equal([1, 1, 1, 1, 1, 1]);
    expect([...(await read('last'))]).to.deep.equal([7, 7]);
    expect(entries.get('unknown')).to.deep.equal({ dtype: 'IQ4_NL', shape: [2, 32], file: 'unknown.gguf' });
    expect((await messageOf(read('unknown'))).replace(FOLDER, 'SRC')).to.equal(
      'openGguf: "unknown" in unknown.gguf of SRC must be one of F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, ' +
        'Q5_K, Q6_K, got IQ4_NL; use a file of one of these types',
    );
    expect((await messageOf(read('absent'))).replace(FOLDER, 'SRC')).to.equal(
      'openGguf: SRC must hold "absent", got no such tensor',
    );
  });

  it('reads only the header at first, and then each tensor alone', async () => {
    const source = memorySource({ 'x.gguf': new Uint8Array(TYPES) });
    const { read } = await openGguf(source, 'x.gguf');
    const before = source.reads.length;
    await read('Q4_K.weight');
    expect(source.reads.slice(before)).to.deep.equal([{ file: 'x.gguf', bytes: 3 * 144 }]);
  });

  it('refuses every truncated copy by a sentence', async () => {
    for (let length = 0; length < TYPES.length - 32; length += length < 1600 ? 1 : 97)
      expect(await messageOf(open(TYPES.subarray(0, length))), String(length)).to.match(
        /^openGguf: x\.gguf of SRC must be a whole GGUF file, got .*; use another copy of it$/,
      );
  });

  it('refuses or reads every copy with a wrong byte in the header, and never fails in another way', async () => {
    let refused = 0;
    for (let at = 0; at < 1500; at++) {
      const error = await open(changed(at, 0xff)).then(
        () => null,
        (thrown: unknown) => thrown,
      );
      if (error === null) continue;
      refused++;
      expect(error, String(at)).to.be.instanceOf(IlrecError);
    }
    expect(refused).to.be.above(300);
  });

  it('says what else a file is', async () => {
    const version = 4;
    expect(await messageOf(open(changed(version, 1)))).to.equal(
      'openGguf: x.gguf of SRC must be GGUF of version 2 or 3, got version 1; convert the model again',
    );
    expect(await messageOf(open(changed(version, 0, 0, 0, 3)))).to.contain('got a file in big-endian order');
    expect(await messageOf(open(changed(0, 0x50)))).to.contain('got another kind of file; use another copy of it');
    expect(await messageOf(openGguf(memorySource({}, 'SRC'), 'x.gguf'))).to.equal(
      'openGguf: SRC must have x.gguf, got no such file; use a complete copy of the checkpoint',
    );
    const pointer = new TextEncoder().encode('version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n');
    expect(await messageOf(open(pointer))).to.contain('got the pointer that Git LFS leaves in its place');
    const text = (value: string): number[] => [value.length, 0, 0, 0, 0, 0, 0, 0, ...Buffer.from(value)];
    const part = [...TYPES.subarray(0, 8), ...new Array<number>(8).fill(0), 1, 0, 0, 0, 0, 0, 0, 0];
    const split = Uint8Array.from([...part, ...text('split.count'), 2, 0, 0, 0, 3, 0]); // a uint16
    expect(await messageOf(open(split))).to.equal(
      'openGguf: x.gguf of SRC must hold the whole model, got one of 3 parts; merge them with llama-gguf-split --merge',
    );
    const list = [9, 0, 0, 0]; // of one value, a list again
    const deep = [
      ...part,
      ...text('deep'),
      ...list,
      ...new Array<number[]>(7).fill([...list, 1, 0, 0, 0, 0, 0, 0, 0]).flat(),
    ];
    expect(await messageOf(open(Uint8Array.from(deep)))).to.contain('got lists within lists for "deep"');
  });
});
