import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '../support/folders';
import { repository } from '../support/installed_package';

const binary = 'src/kernels/wasm/simd_binary.ts';
const write = (file: string): string => `node -e "fs.writeFileSync('${file}', '')"`;

/** `npm run check-git-install` proves the same with npm itself, in a minute. */
describe('prepare', () => {
  const folder = temporaryFolder();

  /** Runs it in a small clone, called from a folder. @returns the files that it made there. */
  function prepare(calledFrom: string): string[] {
    const before = readdirSync(folder.path);
    execFileSync(process.execPath, ['tools/prepare.mjs'], {
      cwd: folder.path,
      env: { ...process.env, INIT_CWD: calledFrom },
      stdio: 'pipe',
    });
    return readdirSync(folder.path).filter((name) => !before.includes(name));
  }

  beforeEach(() => {
    cpSync(join(repository, 'tools/prepare.mjs'), join(folder.path, 'tools/prepare.mjs'));
    for (const name of ['assembly', 'src/kernels/wasm']) mkdirSync(join(folder.path, name), { recursive: true });
    writeFileSync(join(folder.path, 'assembly/index.ts'), '');
    const scripts = { 'build:simd': write('simd'), build: write('dist') };
    writeFileSync(join(folder.path, 'package.json'), JSON.stringify({ scripts }));
  });

  it('compiles the kernels in a clone', () => {
    expect(prepare(folder.path)).to.deep.equal(['simd']);
  });

  it('builds the package too where another project installs it from git', () => {
    expect(prepare(repository)).to.deep.equal(['dist', 'simd']);
  });

  it('compiles the kernels again only where a source is newer', () => {
    writeFileSync(join(folder.path, binary), '');
    expect(prepare(folder.path)).to.deep.equal([]);
    const later = new Date(Date.now() + 10_000);
    utimesSync(join(folder.path, 'assembly/index.ts'), later, later);
    expect(prepare(folder.path)).to.deep.equal(['simd']);
  });

  it('is what npm runs', () => {
    const { scripts } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    expect(scripts.prepare).to.equal('node tools/prepare.mjs');
    expect(scripts).to.include.keys('build:simd', 'build');
  });
});
