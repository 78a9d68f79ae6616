import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { directorySource } from '../../src/files/directory_source';
import { fetchSource } from '../../src/files/fetch_source';
import { type FileSource, readJson, readOptionalJson } from '../../src/files/file_source';
import { folderSource } from '../../src/files/folder_source_node';
import { messageOf, temporaryFolder } from '../support/folders';

const content = Uint8Array.from({ length: 1000 }, (_, i) => (i * 37) % 251);

/** What every source must do with a file 'data.bin' of `content` and an empty 'empty'. */
async function expectToRead(source: FileSource, caller: string): Promise<void> {
  expect(await source.has('data.bin')).to.equal(true);
  expect(await source.has('other.bin')).to.equal(false);
  expect(await source.size('data.bin')).to.equal(1000);
  expect(await source.read('data.bin')).to.deep.equal(content);
  for (const [start, end] of [
    [0, 10],
    [17, 18],
    [990, 1000],
    [995, 2000],
    [5, 5],
    [1000, 1010],
  ]) {
    expect(await source.read('data.bin', start, end), `${start} to ${end}`).to.deep.equal(content.slice(start, end));
  }
  expect(await source.read('data.bin', 900)).to.deep.equal(content.slice(900));
  expect(await source.size('empty')).to.equal(0);
  expect(await source.read('empty')).to.deep.equal(new Uint8Array(0));
  const missing = `${caller}: ${source.name} must have other.bin, got no such file; use a complete copy of the checkpoint`;
  expect(await messageOf(source.size('other.bin'))).to.equal(missing);
  expect(await messageOf(source.read('other.bin', 0, 1))).to.equal(missing);
}

describe('folderSource', () => {
  const folder = temporaryFolder();

  it('reads files of a folder, whole and in parts', async () => {
    await writeFile(join(folder.path, 'data.bin'), content);
    await writeFile(join(folder.path, 'empty'), '');
    await mkdir(join(folder.path, 'inner'));
    const source = folderSource(folder.path);
    await expectToRead(source, 'folderSource');
    expect(await source.has('inner')).to.equal(false);
    expect(source.name).to.equal(folder.path);
  });
});

describe('fetchSource', () => {
  let server: Server;
  let url = '';
  let requests: string[] = [];
  let behaviour: 'ranges' | 'whole files' | 'hidden total' = 'ranges';

  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const file = (request.url ?? '').replace('/models/tiny/', '');
    const { range, authorization } = request.headers;
    requests.push(`${file} ${range ?? 'whole'}`);
    if (file === 'secret') return void response.writeHead(authorization === 'Bearer hf_x' ? 200 : 401).end('ok');
    if (file === 'broken') return void response.writeHead(503).end();
    if (file !== 'data.bin' && file !== 'empty') return void response.writeHead(404).end('<html>');
    const bytes = file === 'empty' ? new Uint8Array(0) : content;
    if (range === undefined || behaviour === 'whole files') return void response.writeHead(200).end(bytes);
    const [, from, to] = (/^bytes=(\d+)-(\d+)$/.exec(range) as string[]).map(Number);
    if (from >= bytes.length) return void response.writeHead(416).end();
    const total = behaviour === 'ranges' ? { 'content-range': `bytes ${from}-${to}/${bytes.length}` } : {};
    response.writeHead(206, total).end(bytes.slice(from, to + 1));
  };
  before((done) => {
    server = createServer(answer).listen(0, '127.0.0.1', () => {
      url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/models/tiny`;
      done();
    });
  });
  after((done) => void server.close(done));
  beforeEach(() => {
    requests = [];
    behaviour = 'ranges';
  });

  it('reads files under a URL by ranges, and asks for no more than it is asked', async () => {
    await expectToRead(fetchSource(`${url}/`), 'fetchSource');
    requests = [];
    const source = fetchSource(url);
    await source.read('data.bin', 100, 140);
    await source.read('data.bin', 200, 201);
    expect(requests).to.deep.equal(['data.bin bytes=0-0', 'data.bin bytes=100-139', 'data.bin bytes=200-200']);
  });

  it('reads from servers that send whole files, once each', async () => {
    behaviour = 'whole files';
    await expectToRead(fetchSource(url), 'fetchSource');
    requests = [];
    const source = fetchSource(url);
    for (let i = 0; i < 5; i++) await source.read('data.bin', i, i + 100);
    expect(requests).to.deep.equal(['data.bin bytes=0-0']);
  });

  it('reads from servers of another origin that hide the size from scripts', async () => {
    behaviour = 'hidden total';
    await expectToRead(fetchSource(url), 'fetchSource');
  });

  it('sends the headers it is given, and says what to do where the server refuses', async () => {
    expect(await messageOf(fetchSource(url).has('secret'))).to.equal(
      `fetchSource: ${url}/secret must be readable, got 401 Unauthorized; pass an authorization header with the option headers`,
    );
    expect(await fetchSource(url, { headers: { authorization: 'Bearer hf_x' } }).has('secret')).to.equal(true);
    expect(await messageOf(fetchSource(url).size('broken'))).to.equal(
      `fetchSource: ${url}/broken must be readable, got 503 Service Unavailable; try again later`,
    );
    expect(await messageOf(fetchSource('http://127.0.0.1:1').has('x'))).to.match(
      /^fetchSource: http:\/\/127\.0\.0\.1:1\/x must be reachable, got ".*"; check the address, the network and, in a browser, the server's CORS headers$/,
    );
  });
});

describe('directorySource', () => {
  const named = (name: string): Error => Object.assign(new Error(name), { name });
  /** The part of the File System Access API that is used, over files in memory. */
  const directory = (files: Record<string, Uint8Array<ArrayBuffer>>): FileSystemDirectoryHandle =>
    ({
      name: 'picked',
      getFileHandle: async (file: string) => {
        if (file === 'folder') throw named('TypeMismatchError');
        if (file === 'locked') throw named('NotAllowedError');
        if (!(file in files)) throw named('NotFoundError');
        return { getFile: async () => new File([files[file]], file) };
      },
    }) as unknown as FileSystemDirectoryHandle;

  it('reads files of a directory that a browser hands out', async () => {
    const source = directorySource(directory({ 'data.bin': content, empty: new Uint8Array(0) }));
    await expectToRead(source, 'directorySource');
    expect(await source.has('folder')).to.equal(false);
  });

  it('passes on what is no absence', async () => {
    expect(await messageOf(directorySource(directory({})).has('locked'))).to.equal('NotAllowedError');
  });
});

describe('readJson', () => {
  const folder = temporaryFolder();

  it('reads an object, and names a file that is missing or damaged', async () => {
    const source = folderSource(folder.path);
    await writeFile(join(folder.path, 'a.json'), '\ufeff{"ä": [1]}'); // a byte order mark, as editors leave it
    expect(await readJson(source, 'a.json', 'readJson')).to.deep.equal({ ä: [1] });
    expect(await readOptionalJson(source, 'b.json', 'readJson')).to.equal(null);
    expect(await messageOf(readJson(source, 'b.json', 'loadPretrained'))).to.equal(
      `loadPretrained: ${folder.path} must have b.json, got no such file; use a complete copy of the checkpoint`,
    );
    await writeFile(join(folder.path, 'list.json'), '[1]');
    expect(await messageOf(readJson(source, 'list.json', 'readJson'))).to.equal(
      `readJson: list.json of ${folder.path} must hold a JSON object, got an array; use another copy of it`,
    );
    await writeFile(join(folder.path, 'half.json'), '{"a": ');
    expect(await messageOf(readJson(source, 'half.json', 'readJson'))).to.equal(
      `readJson: half.json of ${folder.path} must be valid JSON, got "{"a": "; use another copy of it`,
    );
  });
});
