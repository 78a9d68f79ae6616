import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { IlrecError } from '../../src/errors';
import { hubSource, isHubId } from '../../src/pretrained/hub_node';
import { loadPretrained } from '../../src/pretrained/load_pretrained_node';
import { disposeModel } from '../../src/models/dispose_model';
import '../support/backends';
import { FakeHub } from '../support/fake_hub';
import { temporaryFolder } from '../support/folders';
import { randomTensors, safetensorsOf, SMALL_CONFIG } from '../support/small_checkpoint';

const ID = 'someone/tiny-llama';
const COMMIT = '0123456789abcdef0123456789abcdef01234567';
const json = (value: object): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const weights = safetensorsOf(randomTensors(SMALL_CONFIG));
const FILES = {
  'README.md': json({}),
  'pytorch_model.bin': json({}),
  'config.json': json(SMALL_CONFIG),
  'generation_config.json': json({ temperature: 0.1 }),
  'model.safetensors': weights,
};

async function refusal(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).to.be.instanceOf(IlrecError);
  return (error as Error).message;
}

describe('hubSource', () => {
  const folder = temporaryFolder();
  let hub: FakeHub;
  let options: { endpoint: string; cacheDir: string };
  const environment = ['HF_TOKEN', 'HF_ENDPOINT', 'HF_HUB_OFFLINE', 'HF_HUB_CACHE'] as const;
  let saved: (string | undefined)[] = [];

  before(async () => void (await tf.setBackend('cpu')));
  beforeEach(async () => {
    saved = environment.map((name) => process.env[name]);
    environment.forEach((name) => delete process.env[name]);
    hub = new FakeHub(ID, COMMIT, FILES);
    await hub.start();
    options = { endpoint: hub.endpoint, cacheDir: join(folder.path, 'cache') };
  });
  afterEach(async () => {
    await hub.stop();
    environment.forEach((name, i) =>
      saved[i] === undefined ? delete process.env[name] : (process.env[name] = saved[i]),
    );
  });

  it('downloads what a checkpoint is loaded from, and nothing else', async () => {
    const { model, config, generationConfig } = await loadPretrained(ID, options);
    expect(config).to.deep.equal(SMALL_CONFIG);
    expect(generationConfig).to.deep.equal({ temperature: 0.1 });
    expect([...new Set(hub.takeRequests())]).to.deep.equal([
      'revision main',
      'config.json',
      'generation_config.json',
      'model.safetensors',
    ]);
    disposeModel(model);
  });

  it("lays the cache out as Hugging Face's own tools do", async () => {
    await hubSource(ID, options);
    const storage = join(options.cacheDir, 'models--someone--tiny-llama');
    expect(await readFile(join(storage, 'refs/main'), 'utf8')).to.equal(COMMIT);
    expect((await readdir(join(storage, 'snapshots', COMMIT))).sort()).to.deep.equal([
      'config.json',
      'generation_config.json',
      'model.safetensors',
    ]);
    const pointer = join(storage, 'snapshots', COMMIT, 'model.safetensors');
    expect((await lstat(pointer)).isSymbolicLink()).to.equal(true);
    expect(await readlink(pointer)).to.match(/^\.\.\/\.\.\/blobs\/[0-9a-f]{64}$/);
    expect(new Uint8Array(await readFile(pointer))).to.deep.equal(weights);
    expect((await readdir(join(storage, 'blobs'))).filter((name) => name.endsWith('.incomplete'))).to.deep.equal([]);
  });

  it('asks only where the branch stands when the files are there, and nothing at all for a commit', async () => {
    await hubSource(ID, options);
    hub.takeRequests();
    await hubSource(ID, options);
    expect(hub.takeRequests()).to.deep.equal(['revision main']);
    await hubSource(ID, { ...options, revision: COMMIT });
    expect(hub.takeRequests()).to.deep.equal([]);
  });

  it('uses the copy in the cache where the hub does not answer, or must not be asked', async () => {
    await hubSource(ID, options);
    hub.takeRequests();
    process.env.HF_HUB_OFFLINE = '1';
    expect((await hubSource(ID, options)).name).to.equal(ID);
    expect(hub.takeRequests()).to.deep.equal([]);
    delete process.env.HF_HUB_OFFLINE;
    hub.faults = { status: 503 };
    expect(await (await hubSource(ID, options)).has('model.safetensors')).to.equal(true);
    await hub.stop();
    const { model } = await loadPretrained(ID, options);
    disposeModel(model);
  });

  it('says what is missing where the hub does not answer and the cache has no whole copy', async () => {
    hub.faults = { breakAfter: 1000 };
    await refusal(hubSource(ID, options)); // config and half of the weights are there
    await hub.stop();
    const storage = join(options.cacheDir, 'models--someone--tiny-llama');
    expect(await refusal(hubSource(ID, options))).to.match(
      new RegExp(
        `^hubSource: ${ID} must be in the cache when the hub cannot be reached, got no complete copy under ${storage} \\(".+"\\); check the id, the network and the proxy$`,
      ),
    );
    process.env.HF_HUB_OFFLINE = '1';
    expect(await refusal(hubSource('someone/else', options))).to.contain('("HF_HUB_OFFLINE=1")');
  });

  it('goes on with a download that was interrupted', async () => {
    hub.faults = { breakAfter: 1000 };
    expect(await refusal(hubSource(ID, options))).to.match(
      /^hubSource: model\.safetensors of someone\/tiny-llama must be downloaded, got ".+"; run it again, the download resumes$/,
    );
    const progress: { file: string; receivedBytes: number; totalBytes: number }[] = [];
    const source = await hubSource(ID, { ...options, onDownload: (step) => progress.push(step) });
    expect(await source.read('model.safetensors')).to.deep.equal(weights);
    const large = progress.filter(({ file }) => file === 'model.safetensors');
    expect(large[0].receivedBytes).to.be.above(1000);
    expect(large.at(-1)).to.deep.equal({
      file: 'model.safetensors',
      receivedBytes: weights.length,
      totalBytes: weights.length,
    });
  });

  it('refuses content that is not what the hub announced, and keeps none of it', async () => {
    hub.faults = { damaged: 'x' };
    expect(await refusal(hubSource(ID, options))).to.match(
      /^hubSource: model\.safetensors of someone\/tiny-llama must have the checksum [0-9a-f]{64}, got [0-9a-f]{64}; run it again$/,
    );
    hub.faults = {};
    expect(await (await hubSource(ID, options)).read('model.safetensors')).to.deep.equal(weights);
  });

  it('downloads the shards that the index names', async () => {
    await hub.stop();
    const index = { weight_map: { a: 'model-00001-of-00002.safetensors', b: 'model-00002-of-00002.safetensors' } };
    hub = new FakeHub(ID, COMMIT, {
      'config.json': FILES['config.json'],
      'model.safetensors.index.json': json(index),
      'model-00001-of-00002.safetensors': weights,
      'model-00002-of-00002.safetensors': json({ b: 1 }),
      'other.safetensors': weights,
    });
    await hub.start();
    const source = await hubSource(ID, { ...options, endpoint: hub.endpoint });
    expect([...new Set(hub.takeRequests())]).to.deep.equal([
      'revision main',
      'config.json',
      'model.safetensors.index.json',
      'model-00001-of-00002.safetensors',
      'model-00002-of-00002.safetensors',
    ]);
    expect(await source.size('model-00001-of-00002.safetensors')).to.equal(weights.length);
  });

  it('sends the token, and says what to do where the hub refuses', async () => {
    await hubSource(ID, { ...options, token: 'hf_secret' });
    expect([...hub.tokens]).to.deep.equal(['Bearer hf_secret']);
    hub.faults = { status: 401 };
    expect(await refusal(hubSource('someone/gated', options))).to.equal(
      'hubSource: someone/gated must be readable, got 401 from the hub; check the id, accept its licence there and give a token',
    );
    hub.faults = {};
    expect(await refusal(hubSource(ID, { ...options, revision: 'v9' }))).to.equal(
      `hubSource: ${ID} must be on the hub at revision "v9", got 404; check the id and the revision`,
    );
    expect(await refusal(hubSource(ID, { ...options, token: 'secret' }))).to.equal(
      'hubSource: token must start with "hf_", got 6 other characters; copy it again from the hub\'s settings',
    );
    expect(await refusal(hubSource(ID, { ...options, revision: '../x' }))).to.equal(
      'hubSource: revision must be a branch, tag or commit, got "../x"',
    );
  });

  it('is not needed for a URL, whose files are read where they are', async () => {
    const { model, config } = await loadPretrained(`${hub.endpoint}/${ID}/resolve/${COMMIT}`, {
      cacheDir: options.cacheDir,
    });
    expect(config).to.deep.equal(SMALL_CONFIG);
    expect(await readdir(folder.path)).to.deep.equal([]);
    expect(hub.takeRequests()).to.include('model.safetensors').and.not.include('revision main');
    disposeModel(model);
  });

  it('knows an id from a path', () => {
    for (const id of ['gpt2', 'HuggingFaceTB/SmolLM2-135M', 'a/b.c_d-1']) expect(isHubId(id), id).to.equal(true);
    for (const path of ['./gpt2', '../x', 'a/b/c', '/abs', '~/x', 'C:\\x', 'a b', '', 'a/..', '.hidden'])
      expect(isHubId(path), path).to.equal(false);
  });
});
