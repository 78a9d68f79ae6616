import { expect } from 'chai';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as zlib from 'node:zlib';

import { openText } from '../../src/data/open_text_node';
import { formOf, readPieces } from '../../src/data/text_pieces_node';
import { IlrecError } from '../../src/errors';
import { messageOf, temporaryFolder } from '../support/folders';

const { gzipSync } = zlib;

describe('readPieces', () => {
  const folder = temporaryFolder();
  const at = (name: string): string => join(folder.path, name);
  const read = async (bytes: Uint8Array | string, options = {}): Promise<string> => {
    await writeFile(at('f'), bytes);
    let text = '';
    for await (const piece of readPieces('read', at('f'), options)) text += piece;
    return text;
  };
  const refused = async (bytes: Uint8Array | string): Promise<string> =>
    (await messageOf(read(bytes))).replaceAll(folder.path, 'DIR');
  const long = 'ü🎸\n'.repeat(100_000); // pieces end within characters

  it('reads UTF-8 and UTF-16, without the byte order mark', async () => {
    expect(await read(long)).to.equal(long);
    expect(await read(`\ufeff${long}`)).to.equal(long);
    expect(await read(Buffer.from(`\ufeff${long}`, 'utf16le'))).to.equal(long);
    expect(await read(Buffer.from(`\ufeff${long}`, 'utf16le').swap16())).to.equal(long);
    expect(await read('')).to.equal('');
  });
  it('unpacks gzip, also of several members, by its first bytes', async () => {
    expect(await read(gzipSync(long))).to.equal(long);
    expect(await read(Buffer.concat([gzipSync('a\n'), gzipSync('b\n')]))).to.equal('a\nb\n');
    await writeFile(at('x.csv.gz'), gzipSync('a'));
    expect(await openText('read', at('x.csv.gz'))).to.deep.equal({ name: 'x.csv.gz', text: 'a' });
  });
  it('unpacks zstd where Node can, and says so where it cannot', async () => {
    if ('createZstdDecompress' in zlib) {
      const { zstdCompressSync } = zlib as unknown as { zstdCompressSync(text: string): Buffer };
      expect(await read(zstdCompressSync(long))).to.equal(long);
    } else
      expect(await refused(Buffer.from('28b52ffd', 'hex'))).to.equal(
        `read: DIR/f is compressed by zstd, which Node ${process.versions.node} does not read; use Node 22.15 or newer, or unpack it with \`zstd -d\``,
      );
  });
  it('reads Latin-1 where it is asked for and the file is not UTF-8', async () => {
    expect(await read(Buffer.from('Amélie', 'latin1'), { latin1: true })).to.equal('Amélie');
    expect(await read('Amélie', { latin1: true })).to.equal('Amélie');
  });
  it('says what is wrong with a file, and on which line', async () => {
    expect(await refused(Buffer.from('a\nb\nAmélie\n', 'latin1'))).to.equal(
      'read: DIR/f line 3 must be UTF-8 text, got other bytes; save the file as UTF-8',
    );
    expect(await refused(Buffer.concat([Buffer.from(long), Buffer.of(0xc3)]))).to.contain('DIR/f line 100001 must be');
    expect(await refused(gzipSync(long).subarray(0, 60))).to.match(
      /^read: DIR\/f must be a whole gzip file, got Z_BUF_ERROR; download it again$/,
    );
    expect(await refused('PK\x03\x04...')).to.contain('got a ZIP archive; unpack it first');
    expect(await refused('PAR1...')).to.contain('got Parquet; install @duckdb/node-api, which reads it');
    const missing = openText('read', at('none'));
    expect((await messageOf(missing)).replaceAll(folder.path, 'DIR')).to.equal(
      'read: DIR/none must be a readable file, got nothing at that path; check the path',
    );
    await missing.catch((error) => expect(error).to.be.instanceOf(IlrecError));
    expect(await messageOf(openText('read', folder.path, 'give a file'))).to.contain('got a folder; give a file');
  });
  it('tells the form of a file by its first bytes', async () => {
    const forms: Record<string, string> = {};
    for (const [name, bytes] of Object.entries({ p: 'PAR1', q: 'PAR', z: gzipSync(''), e: '' })) {
      await writeFile(at(name), bytes);
      forms[name] = await formOf(at(name));
    }
    expect(forms).to.deep.equal({ p: 'parquet', q: 'text', z: 'gzip', e: 'text' });
    expect(await formOf(at('none'))).to.equal('text');
  });
});
