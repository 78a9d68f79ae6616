import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { temporaryFolder } from './support/folders';

const FIXTURE = `
describe('outer', () => {
  it('passes', () => {
    process.stderr.write('I0000 00:00:1795878307.803902   10000 port.cc:153] oneDNN custom operations are on.\\n');
    process.stderr.write('E0000 00:00:1795878307.803902   10000 port.cc:153] out of memory\\n');
  });
  it('fails', () => { throw new Error('why it fails'); });
  it.skip('is skipped (skipped: no disk)');
});
describe('nothing of this (skipped: no disk)', () => { it.skip('runs'); });
`;

describe('what npm test prints @slow', () => {
  const folder = temporaryFolder();

  for (const mode of [[], ['--parallel']]) {
    it(`is a line per file, failures, skips by reason and a last line for machines${mode.length > 0 ? ', in parallel too' : ''}`, async () => {
      const path = join(folder.path, 'fixture.spec.mjs');
      await writeFile(path, FIXTURE);
      const { status, stdout, stderr } = spawnSync(process.execPath, ['spec/support/mocha.mjs', ...mode, path], {
        encoding: 'utf8',
        env: { ...process.env, ILREC_SPEC_BACKENDS: 'cpu' },
      });
      expect(status).to.equal(1);
      const lines = stdout.trimEnd().split('\n');
      expect(lines[0]).to.match(/fixture\.spec\.mjs +\d+\.\d s {2}1 passed, 1 FAILED, 2 skipped$/);
      expect(stdout).to.include('why it fails').and.to.include('\nskipped:\n     2  no disk\n');
      expect(lines.at(-1)).to.equal('1 passed, 1 failed, 2 skipped');
      expect(stderr).to.match(/^E0000 .*out of memory\n$/); // an error passes, a remark does not
    });
  }
});
