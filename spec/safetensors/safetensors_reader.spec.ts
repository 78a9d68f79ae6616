import { expect } from 'chai';
import { encodeSafetensors } from '../../src/safetensors/safetensors';
import { openSafetensors, openSafetensorsFile } from '../../src/safetensors/safetensors_reader';
import { IlrecError } from '../../src/errors';
import { messageOf } from '../support/folders';
import { memorySource } from '../support/memory_source';
import { normals } from '../support/random';
import { safetensorsOf, type StoredTensor } from '../support/small_checkpoint';

const stored = (shape: number[], seed: number): StoredTensor => ({
  shape,
  values: normals(
    shape.reduce((a, b) => a * b, 1),
    seed,
  ),
});
const tensors = new Map<string, StoredTensor>([
  ['a', stored([5, 3], 1)],
  ['b.weight', stored([7], 2)],
  ['scalar', stored([], 3)],
  ['none', stored([0, 4], 4)],
]);
const whole = safetensorsOf(tensors);

/** A file of one's own header. */
function fileWith(header: object | string, values = 8): Uint8Array {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + values);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}

const refusal = async (files: Record<string, Uint8Array | object>): Promise<string> => {
  const error = await openSafetensors(memorySource(files, 'SRC')).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).to.be.instanceOf(IlrecError);
  return (error as Error).message;
};

describe('openSafetensors', () => {
  it('gives names, types, shapes and values, and reads headers alone until asked for more', async () => {
    const source = memorySource({ 'model.safetensors': whole });
    const reader = await openSafetensors(source);
    expect([...reader.entries].map(([name, { dtype, shape, file }]) => [name, dtype, [...shape], file])).to.deep.equal([
      ['a', 'F32', [5, 3], 'model.safetensors'],
      ['b.weight', 'F32', [7], 'model.safetensors'],
      ['scalar', 'F32', [], 'model.safetensors'],
      ['none', 'F32', [0, 4], 'model.safetensors'],
    ]);
    const headerBytes = source.reads.reduce((sum, { bytes }) => sum + bytes, 0);
    expect(headerBytes).to.equal(whole.length - 4 * (15 + 7 + 1));
    for (const [name, { values }] of tensors) expect([...(await reader.read(name))], name).to.deep.equal([...values]);
    expect(source.reads.slice(2).map(({ bytes }) => bytes)).to.deep.equal([60, 28, 4]);
  });

  it('transposes [out, in] to [in, out]', async () => {
    const { values } = tensors.get('a') as StoredTensor;
    const transposed = await (
      await openSafetensors(memorySource({ 'model.safetensors': whole }))
    ).read('a', { transposed: true });
    expect([...transposed]).to.deep.equal(
      Array.from({ length: 15 }, (_, i) => values[(i % 5) * 3 + Math.floor(i / 5)]),
    ); // [3, 5]
  });

  it('reads a tensor that is larger than what it asks for at once in whole rows', async () => {
    const [rows, width] = [3 * 1024 + 1, 2053]; // 25 MB
    const values = Float32Array.from({ length: rows * width }, (_, i) => i % 65521);
    const source = memorySource({
      'model.safetensors': encodeSafetensors({
        tensors: new Map([['w', { shape: [rows, width], data: values }]]),
        metadata: {},
      }),
    });
    const reader = await openSafetensors(source);
    const [straight, transposed] = [await reader.read('w'), await reader.read('w', { transposed: true })];
    expect(straight.every((value, i) => value === values[i])).to.equal(true);
    expect(transposed.every((value, i) => value === values[(i % rows) * width + Math.floor(i / rows)])).to.equal(true);
    const sizes = source.reads.slice(2).map(({ bytes }) => bytes);
    expect(Math.max(...sizes)).to.be.at.most(2 ** 24);
    expect(sizes.length).to.equal(4); // two parts, twice
  });

  it('reads float16, bfloat16 and int32 as float32', async () => {
    const source = memorySource({
      f16: safetensorsOf(new Map([['w', { shape: [2], values: Float32Array.of(1.5, -65504) }]]), 'F16'),
      bf16: safetensorsOf(new Map([['w', { shape: [2], values: Float32Array.of(1.5, 2 ** 100) }]]), 'BF16'),
      i32: encodeSafetensors({ tensors: new Map([['w', { shape: [2], data: Int32Array.of(-3, 7) }]]), metadata: {} }),
    });
    expect([...(await (await openSafetensorsFile(source, 'f16')).read('w'))]).to.deep.equal([1.5, -65504]);
    expect([...(await (await openSafetensorsFile(source, 'bf16')).read('w'))]).to.deep.equal([1.5, 2 ** 100]);
    expect([...(await (await openSafetensorsFile(source, 'i32')).read('w'))]).to.deep.equal([-3, 7]);
  });

  it('reads shards that an index names', async () => {
    const [first, second] = [
      new Map([['a', stored([2, 3], 1)]]),
      new Map([
        ['b', stored([4], 2)],
        ['c', stored([1], 3)],
      ]),
    ];
    const index = {
      metadata: { total_size: 44 },
      weight_map: { b: 'model-2.safetensors', c: 'model-2.safetensors', a: 'model-1.safetensors' },
    };
    const reader = await openSafetensors(
      memorySource({
        'model.safetensors.index.json': index,
        'model-1.safetensors': safetensorsOf(first),
        'model-2.safetensors': safetensorsOf(second),
      }),
    );
    expect([...reader.entries].map(([name, { file }]) => `${name} ${file}`)).to.deep.equal([
      'a model-1.safetensors',
      'b model-2.safetensors',
      'c model-2.safetensors',
    ]);
    for (const [name, { values }] of [...first, ...second])
      expect([...(await reader.read(name))]).to.deep.equal([...values]);
  });

  it('refuses files that are cut off anywhere', async () => {
    for (const length of [0, 7, 8, 40, whole.length - 1]) {
      expect(await refusal({ 'model.safetensors': whole.slice(0, length) }), `${length} bytes`).to.match(
        /^openSafetensors: model\.safetensors of SRC must be a whole safetensors file, got .*; use another copy of it$/,
      );
    }
  });

  it('says what is wrong with a damaged header', async () => {
    const found = async (header: object | string): Promise<string> =>
      (await refusal({ 'model.safetensors': fileWith(header) })).replace(
        /^openSafetensors: model.safetensors of SRC must be a whole safetensors file, got (.*); use another copy of it$/,
        '$1',
      );
    expect(await found('{')).to.equal('a header that is not JSON');
    expect(await found('[1]')).to.equal('a header that is not a JSON object');
    expect(await found({ w: { dtype: 'F32', shape: [-1], data_offsets: [0, 4] } })).to.equal('a damaged entry for "w"');
    expect(await found({ w: null })).to.equal('a damaged entry for "w"');
    expect(await found({ w: { dtype: 'F32', shape: [1], data_offsets: [0] } })).to.equal('a damaged entry for "w"');
    expect(await found({ w: { dtype: 'F32', shape: [3], data_offsets: [0, 8] } })).to.equal(
      '8 bytes for "w", which needs 12 as F32 [3]',
    );
    expect(await found({ w: { dtype: 'F32', shape: [2], data_offsets: [4, 12] } })).to.match(
      /^\d+ bytes, but "w" ends at \d+$/,
    );
    const endless = fileWith({});
    new DataView(endless.buffer).setBigUint64(0, 2n ** 62n, true);
    expect(await refusal({ 'model.safetensors': endless })).to.contain(
      'a header of 4611686018427388000 bytes, above the limit of 100000000',
    );
  });

  it('refuses types that the format does not know, and those it cannot read when they are read', async () => {
    expect(
      await refusal({ 'model.safetensors': fileWith({ w: { dtype: 'F7', shape: [2], data_offsets: [0, 8] } }) }),
    ).to.match(/must hold tensors of types F64, .*, got F7 for "w"; convert it first$/);
    const reader = await openSafetensors(
      memorySource(
        { 'model.safetensors': fileWith({ mask: { dtype: 'I64', shape: [1], data_offsets: [0, 8] } }) },
        'SRC',
      ),
    );
    expect(await messageOf(reader.read('mask'))).to.equal(
      'openSafetensors: "mask" of SRC must be one of F32, F16, BF16, I32, got I64; convert it first',
    );
    expect(await messageOf(reader.read('nothing'))).to.equal(
      'openSafetensors: SRC must hold "nothing", got no such tensor',
    );
  });

  it('refuses what is missing', async () => {
    expect(await refusal({})).to.equal(
      "openSafetensors: SRC must have model.safetensors or model.safetensors.index.json, got neither; convert other formats with transformers' save_pretrained",
    );
    const index = { weight_map: { a: 'one.safetensors', b: 'two.safetensors', c: 'three.safetensors' } };
    expect(await refusal({ 'model.safetensors.index.json': index, 'two.safetensors': whole })).to.equal(
      'openSafetensors: SRC must have the 3 shards that model.safetensors.index.json lists, got no one.safetensors, three.safetensors; use a complete copy of the checkpoint',
    );
    expect(
      await refusal({
        'model.safetensors.index.json': { weight_map: { z: 'one.safetensors' } },
        'one.safetensors': whole,
      }),
    ).to.equal(
      'openSafetensors: one.safetensors of SRC must hold "z" as model.safetensors.index.json says, got none; use the shards of the same copy',
    );
  });

  it('refuses an index that leads out of the folder or is damaged', async () => {
    for (const file of ['../x.safetensors', '/etc/x.safetensors', 'a\\b.safetensors', 'model.bin', 7]) {
      expect(await refusal({ 'model.safetensors.index.json': { weight_map: { w: file } } })).to.equal(
        `openSafetensors: weight_map of model.safetensors.index.json must name .safetensors files beside it, got ${JSON.stringify(file)} for "w"; use another copy of it`,
      );
    }
    expect(await refusal({ 'model.safetensors.index.json': {} })).to.equal(
      'openSafetensors: model.safetensors.index.json of SRC must have a weight_map, got none; use another copy of it',
    );
    expect(await refusal({ 'model.safetensors.index.json': new TextEncoder().encode('<html> not found') })).to.equal(
      'openSafetensors: model.safetensors.index.json of SRC must be valid JSON, got "<html> not found"; use another copy of it',
    );
  });
});
