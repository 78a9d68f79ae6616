import { expect } from 'chai';
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { repository } from './support/installed_package';
import { blocksOf, pages } from './support/readme_program';
import { writeOrders } from './support/orders';

/** Modules that other examples import. */
const modules = ['own_method.ts'];

/** What the last line of each example says. */
const lastLines: Record<string, RegExp> = {
  'collaborative_reward.ts': /^reward loss per epoch: 3\.\d+ → 3\.\d+$/,
  'compare_own_method.ts': /^Popularity, Markov, GRU: Leave-one-out, .+\.$/,
  'nanogpt.ts': /^loss 3\.\d+, negatives per token \d+\.\d+$/,
  'own_model.ts': /^next: .+; .+; .+$/,
  'pretrained_folder.ts': /^next: .+; .+; .+$/,
  'recommend.ts': /^5\. .+ \(log-probability -\d+\.\d\d\)$/,
  'recommender.ts': /^like item-\d+: item-\d+, item-\d+, item-\d+$/,
  'semantic_ids_in_text.ts': /^cross-entropy per epoch: 6\.\d+ → [45]\.\d+$/,
  'training_loop.ts': /^loss 3\.\d+, negatives per token \d+\.\d+$/,
};

describe('examples', () => {
  it('are all run here', () => {
    expect(readdirSync(join(repository, 'examples')).sort()).to.deep.equal(
      [...Object.keys(lastLines), ...modules].sort(),
    );
  });

  it('train the GPT of another package in fewer than 40 lines', () => {
    expect(readFileSync(join(repository, 'examples/nanogpt.ts'), 'utf8').trim().split('\n').length).to.be.below(40);
  });

  for (const [name, lastLine] of Object.entries(lastLines)) {
    it(`runs ${name}`, async () => {
      const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', join('examples', name)], {
        cwd: repository,
      });
      expect(stdout.trim().split('\n').at(-1)).to.match(lastLine);
    });
  }
});

/** What each program of README and docs prints, by page. */
const printed: Record<string, readonly RegExp[]> = {
  'README.md': [/^bought: .+\n(\d+\.\d % .+\n){5}$/, /^loss per epoch: 4\.\d\d, 4\.\d\d\n$/],
  'docs/collaborative-reward.md': [/^CRR per epoch: 3\.\d\d, [23]\.\d\d\n$/],
  'docs/evaluation.md': [/^popularity 0\.0\d+ \[.+\]\nMarkov 0\.4\d+ \[.+\]\ndifference 0\.3\d+ \[.+\]\n$/],
  'docs/item-tokens.md': [/^cross-entropy per epoch: 3\.\d\d, .+\nnext: .+; .+; .+\n$/],
  'docs/memory.md': [/^adapter: 3968 numbers\nestimate without these: \d+\.\d MiB\n$/],
  'docs/method.md': [/^(.+\n){4}$/],
  'docs/own-data.md': [/^NDCG@10 0\.\d{4}, 60 users\n([a-z-]+-\d+ .+\n){5}$/],
  'docs/own-model.md': [/^cross-entropy per epoch: 3\.\d\d, .+\nnext: .+, .+\n$/, /^(loss [34]\.\d{3}\n){4}$/],
  'docs/platforms.md': [/^wasm\n$/],
  'docs/recommend.md': [/^sft: 30 steps\nitem-3\n2\nitem-3\n$/],
  'docs/pretrained-checkpoint.md': [/^cross-entropy per epoch: [78]\.\d\d, 5\.\d\d\nnext: .+, .+\n$/],
};

describe('the programs of README and docs', () => {
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ilrec-docs-'));
    symlinkSync(join(repository, 'node_modules'), join(folder, 'node_modules'));
    await writeOrders(folder);
    cpSync(join(repository, 'spec/golden/checkpoints/smollm2'), join(folder, 'SmolLM2-135M'), { recursive: true });
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('are all run here, in pages written by hand', () => {
    const withPrograms = pages.filter((page) => blocksOf(page, 'js').length > 0);
    expect(withPrograms.sort()).to.deep.equal(Object.keys(printed).sort());
  });

  for (const [page, outputs] of Object.entries(printed)) {
    const programs = blocksOf(page, 'js');
    for (const [i, output] of outputs.entries()) {
      it(`runs program ${i + 1} of ${outputs.length} of ${page}`, async () => {
        expect(programs).to.have.length(outputs.length);
        const found = await runProgram(folder, programs[i]);
        expect(found).to.match(output);
        const claims = [...programs[i].matchAll(/^ *console\.log\(.+\); \/\/ (.+)$/gm)].map(([, claim]) => claim);
        expect(found.split('\n')).to.include.members(claims);
        if (page !== 'README.md' || i > 0) return;
        const shown = blocksOf(page, 'text')[0].split('\n');
        const titles = found.replaceAll(/^[\d.]+ % /gm, '');
        // rounding may move an item
        expect(shown.filter((line) => titles.includes(line.replace(/^[\d.]+ % /, ''))).length).to.be.at.least(5);
      });
    }
  }

  it('imports with vite what the bundled page of the browser specs imports', () => {
    const bundled = readFileSync(join(repository, 'spec/support/pages/bundled/backends.ts'), 'utf8').split('\n');
    expect(bundled).to.include.members(blocksOf('docs/browser.md', 'ts')[0].split('\n'));
  });

  it('adds the toy loss and the toy method of CONTRIBUTING', async () => {
    const files = blocksOf('CONTRIBUTING.md', 'ts').flatMap((block) => {
      const [, path] = /^\/\/ ((?:src|spec)\/.+)\n/.exec(block) ?? [];
      return path === undefined ? [] : [{ path, block }];
    });
    expect(files.map(({ path }) => path)).to.deep.equal([
      'src/losses/label_smoothing.ts',
      'spec/losses/label_smoothing.spec.ts',
      'src/methods/smoothed.ts',
      'spec/methods/smoothed.spec.ts',
    ]);
    const copy = join(folder, 'contribution');
    for (const name of ['src', 'spec/support', 'spec/api', 'spec/methods/registry.spec.ts'])
      cpSync(join(repository, name), join(copy, name), { recursive: true });
    for (const name of ['node_modules', 'tsconfig.json', 'package.json', '.mocharc.mjs', 'eslint.config.js'])
      symlinkSync(join(repository, name), join(copy, name));
    for (const { path, block } of files) {
      mkdirSync(dirname(join(copy, path)), { recursive: true });
      await writeFile(join(copy, path), block);
    }
    const registry = join(copy, 'src/methods/registry.ts');
    const registered = readFileSync(registry, 'utf8').replace(/REGISTRY = \[/, '$&smoothedMethod, ');
    await writeFile(registry, `import { smoothedMethod } from './smoothed';\n${registered}`);
    const losses = join(copy, 'src/losses/index.ts');
    const line = "export { labelSmoothing, type LabelSmoothingOptions } from './label_smoothing';\n";
    await writeFile(losses, readFileSync(losses, 'utf8') + line);
    const own = files.map(({ path }) => path).filter((path) => path.startsWith('spec/'));
    const specs = [...own, 'spec/methods/registry.spec.ts', 'spec/api/docstrings.spec.ts'];
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [join(repository, 'node_modules/mocha/bin/mocha.js'), '--reporter', 'dot', ...specs],
      { cwd: copy, env: { ...process.env, ILREC_SPEC_BACKENDS: 'cpu,wasm' } },
    );
    expect(stdout).to.match(/^ *2\d passing/m);
    const linted = files.map(({ path }) => path).filter((path) => path.startsWith('src/'));
    await promisify(execFile)(process.execPath, ['node_modules/eslint/bin/eslint.js', ...linted], { cwd: copy });
  });
});

/** Runs an ES module in a folder, with this repository's sources as the package. @returns what it prints. */
async function runProgram(folder: string, program: string): Promise<string> {
  const file = join(folder, 'program.mjs');
  await writeFile(file, program);
  const loader = join(repository, 'node_modules/tsx/dist/esm/index.mjs');
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', loader, file], {
    cwd: folder,
    env: { ...process.env, TSX_TSCONFIG_PATH: join(repository, 'tsconfig.json') },
  });
  return stdout;
}
