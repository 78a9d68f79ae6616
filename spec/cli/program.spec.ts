import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import type { EvaluationProtocol } from '../../src/evaluation/protocol';
import { METHODS } from '../../src/methods/registry';
import { BACKENDS, type BackendName } from '../../src/backends/backend_table_node';
import { missingPackages } from '../../src/backends/use_backend_node';
import type { Study } from '../../src/runs/study';
import { ilrecCommand, type Ran } from '../support/command_line';
import { temporaryFolder } from '../support/folders';
import { skipBecause } from '../support/skip';
import { smallConfig } from '../support/small_shop';
import '../support/backends';

describe('ilrec', () => {
  const folder = temporaryFolder();
  const at = (name: string): string => join(folder.path, name);

  /** 12 users who walk around a ring of 9 items. */
  async function prepare(): Promise<Ran> {
    const rows = Array.from({ length: 12 }, (_, user) =>
      Array.from({ length: 6 }, (_, i) => `u${user},item-${(user + i) % 9},${i}`),
    ).flat();
    await writeFile(at('clicks.csv'), ['user,item,time', ...rows].join('\n'));
    await writeFile(at('config.json'), JSON.stringify(smallConfig({ training: { epochs: 1, learningRate: 1e-4 } })));
    return await ilrecCommand('prepare', '--format', 'csv', '--input', at('clicks.csv'), '--out', at('data'), '--json');
  }

  it('prepares, trains, evaluates and recommends, each with one JSON object on stdout', async () => {
    expect(oneObject(await prepare())).to.deep.include({ users: 12, items: 9 });
    const trained = await ilrecCommand(
      'train',
      '--data',
      at('data'),
      '--out',
      at('run'),
      '--config',
      at('config.json'),
      '--backend',
      'wasm',
      '--seed',
      '4',
      '--json',
    );
    expect(oneObject(trained)).to.deep.include({ method: 'ilrec', status: 'done', seed: 4, backend: 'wasm' });
    const { stderr } = trained;
    expect(stderr).to.include('seen items: left out of lists (0.00 % of training interactions repeat)\n');
    // everyone walks around the ring, so Markov knows the next item; the model has hardly learned
    const { baselines, warning } = oneObject(trained);
    expect(baselines).to.have.keys('popularity', 'markov');
    expect((baselines as Record<string, object>).markov).to.include({ 'ndcg@10': 1, 'hr@10': 1 });
    expect(warning).to.match(
      /^ILRec is below Markov .* against 1\.0000\) .*: train a new run for more epochs, .* 2\.$/,
    );
    expect(trained.stderr)
      .to.match(/^ilrec: validation after epoch 1 .*NDCG@10 0\.\d{4} \(Popularity 0\.\d{4}, Markov 1\.0000\), HR@10/m)
      .and.include(`${String(warning)}\n`);
    const evaluated = oneObject(await ilrecCommand('evaluate', '--run', at('run'), '--backend', 'wasm', '--json'));
    expect(Object.keys(evaluated)).to.deep.equal([
      'hr@1',
      'hr@5',
      'ndcg@5',
      'hr@10',
      'ndcg@10',
      'mrr@10',
      'users',
      'rows',
      'invalidItems',
      'ci95',
      'protocol',
    ]);
    const recommended = oneObject(
      await ilrecCommand(
        'recommend',
        '--run',
        at('run'),
        '--history',
        'item-1, item-2',
        '--k',
        '3',
        '--exclude-seen',
        '--backend',
        'wasm',
        '--json',
      ),
    );
    expect(recommended.items).to.have.length(3);
    expect((recommended.items as object[])[0]).to.have.keys('id', 'title', 'score', 'probability');
  });

  it('takes a rule for items seen in train, evaluate, recommend and compare', async () => {
    await prepare();
    const wasm = ['--backend', 'wasm', '--json'];
    const trained = await ilrecCommand(
      ...['train', '--data', at('data'), '--out', at('run'), '--method', 'markov', '--seen', 'allow', ...wasm],
    );
    expect(oneObject(trained)).to.include({ status: 'done' });
    expect(trained.stderr).to.not.include('seen items');
    const excludes = async (...words: string[]): Promise<unknown> => {
      const { protocol } = oneObject(await ilrecCommand('evaluate', '--run', at('run'), ...words, ...wasm));
      return (protocol as EvaluationProtocol).excludeSeen;
    };
    expect(await excludes()).to.equal(false);
    expect(await excludes('--seen', 'auto')).to.equal(false);
    expect(await excludes('--seen', 'exclude')).to.equal(true);
    expect(await excludes('--exclude-seen')).to.equal(true);
    const history = ['recommend', '--run', at('run'), '--history', 'item-1', '--k', '8'];
    const listed = async (...words: string[]): Promise<string[]> =>
      (oneObject(await ilrecCommand(...history, ...words, ...wasm)).items as { id: string }[]).map(({ id }) => id);
    expect(await listed()).to.include('item-1');
    expect(await listed('--seen', 'exclude')).to.not.include('item-1');
    const compared = await ilrecCommand(
      ...['compare', '--data', at('data'), '--out', at('compared'), '--methods', 'popularity,markov'],
      ...['--seen', 'allow', ...wasm],
    );
    const { protocols } = oneObject(compared) as { protocols: Record<string, EvaluationProtocol> };
    expect(Object.values(protocols).map(({ excludeSeen }) => excludeSeen)).to.deep.equal([false, false]);
  });

  it('counts without a word about other methods', async () => {
    await prepare();
    const words = ['train', '--data', at('data'), '--method', 'markov', '--backend', 'wasm', '--json'];
    const counted = await ilrecCommand(...words, '--out', at('markov'));
    expect(oneObject(counted)).to.include({ baselines: null, warning: null });
    expect(counted.stderr).to.match(/NDCG@10 1\.0000, HR@10/);
  });

  it('compares, and writes the report', async () => {
    await prepare();
    const ran = await ilrecCommand(
      'compare',
      '--data',
      at('data'),
      '--methods',
      'popularity,markov',
      '--out',
      at('compared'),
      '--backend',
      'wasm',
    );
    expect(ran.status, ran.stderr).to.equal(0);
    expect(
      ran.stderr.match(/^seen items: left out of lists \(0\.00 % of training interactions repeat\)$/gm),
    ).to.have.length(1);
    expect(ran.stdout)
      .to.match(/Markov is ahead of Popularity/)
      .and.include(`Report: ${at('compared')}/report.html`);
    expect(await readFile(at('compared/report.html'), 'utf8')).to.match(/^<!doctype html>[^]*<\/html>\n$/);
    expect(JSON.parse(await readFile(at('compared/comparison.json'), 'utf8'))).to.include.keys(
      'methods',
      'pairs',
      'protocols',
    );
  });

  it('studies, and writes report and tables without what the data does not allow', async () => {
    await prepare();
    const arms = [
      { name: 'Popularity', method: 'popularity' },
      { name: 'Markov', method: 'markov' },
      { name: 'Titles', method: 'sft', config: { items: { style: 'bigrec' } } },
    ];
    await writeFile(at('study-file.json'), JSON.stringify({ config: { training: { validationUsers: 0 } }, arms }));
    const words = ['--data', at('data'), '--study', at('study-file.json'), '--out', at('studied'), '--backend', 'wasm'];
    const ran = await ilrecCommand('study', ...words);
    expect(ran.status, ran.stderr).to.equal(0);
    expect(ran.stderr).to.include('Titles is left out: it names items by their titles, and the data has none.');
    expect(ran.stdout)
      .to.match(/Markov is ahead of Popularity: \+0\.\d{4}/)
      .and.include(`Report: ${at('studied')}/report.html`);
    expect(await readFile(at('studied/report.html'), 'utf8')).to.match(/^<!doctype html>[^]*<\/html>\n$/);
    expect(await readFile(at('studied/study.csv'), 'utf8')).to.match(/^arm,method,seeds,hr@1,[^]*\nMarkov,markov,1,/);
    expect(await readFile(at('studied/study.tex'), 'utf8')).to.include('Markov$^\\dagger$ &');
    const { arms: found, skipped } = JSON.parse(await readFile(at('studied/study.json'), 'utf8')) as Study;
    expect(found.map(({ name, runs }) => [name, Object.hasOwn(runs[0], 'log')])).to.deep.equal([
      ['Popularity', false],
      ['Markov', false],
    ]);
    expect(skipped.map(({ name }) => name)).to.deep.equal(['Titles']);
  });

  it('answers a mistake with one sentence on stderr and status 1', async () => {
    await prepare();
    const mistakes: [string[], RegExp][] = [
      [['train', '--data', at('nowhere'), '--out', at('run'), '--backend', 'wasm'], /run `ilrec prepare`/],
      [
        ['train', '--data', at('data'), '--out', at('run'), '--method', 'magic'],
        new RegExp(`^--method must be one of ${METHODS.join(', ')}, got magic$`),
      ],
      [
        ['train', '--data', at('data'), '--out', at('run'), '--epochs', '1.5'],
        /^--epochs must be a whole number of at least 1, got 1\.5$/,
      ],
      [
        ['train', '--data', at('data'), '--out', at('run'), '--config', at('none.json')],
        /^--config must be a file that can be read, got .*none\.json; check the path$/,
      ],
      [['evaluate', '--run', at('data'), '--backend', 'wasm'], /must be a run folder, got no manifest\.json there/],
      [
        ['evaluate', '--run', at('data'), '--split', 'train', '--backend', 'wasm'],
        /^--split must be one of test, valid, got train$/,
      ],
      [
        ['evaluate', '--run', at('run'), '--seen', 'never', '--backend', 'wasm'],
        /^--seen must be one of allow, exclude, auto, got never$/,
      ],
      [
        ['recommend', '--run', at('run'), '--history', 'a', '--seen', 'allow', '--exclude-seen', '--backend', 'wasm'],
        /^--exclude-seen is the same as --seen exclude, got --seen allow beside it; give one of them$/,
      ],
      [
        ['prepare', '--format', 'xml', '--input', at('clicks.csv'), '--out', at('other')],
        /^--format must be one of lc-rec, minionerec, recbole, csv, windows, movielens, amazon, steam, retailrocket, got xml$/,
      ],
    ];
    for (const [words, expected] of mistakes) {
      const { status, stdout, stderr } = await ilrecCommand(...words);
      expect(status, words.join(' ')).to.equal(1);
      expect(stdout).to.equal('');
      const [message, ...rest] = stderr
        .trimEnd()
        .split('\n')
        .filter((line) => !line.startsWith('backend: '));
      expect(message).to.match(expected);
      expect(rest).to.deep.equal([]);
    }
  });

  it('examines one backend, and exits with 1 where it is not ready', async function () {
    expect((await ilrecCommand('doctor', '--backend', 'cpu')).status).to.equal(0);
    const absent = (Object.keys(BACKENDS) as BackendName[]).find((backend) => missingPackages(backend).length > 0);
    if (absent === undefined) skipBecause(this, 'the packages of every backend are installed');
    const { status, stdout } = await ilrecCommand('doctor', '--backend', absent);
    expect(stdout).to.match(new RegExp(`^✘ ${absent}  not installed: `, 'm'));
    expect(status).to.equal(1);
  });

  it('says which option is missing', async () => {
    const { status, stderr } = await ilrecCommand('train', '--out', at('run'));
    expect(status).to.equal(1);
    expect(stderr).to.include("required option '--data <dir>' not specified");
  });

  it('says that there is no run to resume, and begins one where it is told the data', async () => {
    await prepare();
    const words = ['train', '--resume', '--out', at('run'), '--method', 'popularity', '--backend', 'wasm'];
    const lost = await ilrecCommand(...words);
    expect([lost.status, lost.stderr]).to.deep.equal([
      1,
      `error: there is no run at ${at('run')} to resume; check --out, or begin one with --data\n`,
    ]);
    const { status, stderr, stdout } = await ilrecCommand(...words, '--data', at('data'));
    expect(status, stderr).to.equal(0);
    expect(stderr).to.include(`There is no run at ${at('run')} to resume: a new one begins.\n`);
    expect(stdout).to.match(/^popularity done: 0 steps in .* on wasm\n/);
    const again = await ilrecCommand(...words);
    expect(again.status, again.stderr).to.equal(0);
    expect(again.stderr).to.not.include('There is no run');
  });

  it('writes a checkpoint and says how to continue when interrupted', async () => {
    await prepare();
    await writeFile(
      at('long.json'),
      JSON.stringify(smallConfig({ training: { epochs: 500, validationUsers: 0, checkpointEverySeconds: 1000 } })),
    );
    const words = [
      'train',
      '--data',
      at('data'),
      '--out',
      at('run'),
      '--config',
      at('long.json'),
      '--method',
      'sft',
      '--backend',
      'wasm',
      '--json',
    ];
    const child = spawn(process.execPath, ['--import', 'tsx', 'src/cli/main.ts', ...words]);
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (text) => (stdout += String(text)));
    child.stderr.on('data', (text) => (stderr += String(text)));
    const status = new Promise<number | null>((resolve) => child.once('exit', resolve));
    const timer = setInterval(() => {
      if (!existsSync(at('run/log.jsonl'))) return;
      clearInterval(timer);
      child.kill('SIGINT');
    }, 20);
    expect(await status).to.equal(130);
    const { steps, ...rest } = JSON.parse(stdout) as { steps: number; status: string };
    expect(rest.status).to.equal('interrupted');
    expect(existsSync(at(`run/checkpoints/step-${String(steps).padStart(9, '0')}.safetensors`))).to.equal(true);
    expect((rest as { next?: string[] }).next).to.deep.equal([`ilrec train --resume --out ${at('run')}`]);
    expect(stderr).to.include(`Interrupted at step ${steps}. Run the same command with --resume to continue.`);
  });
});

function oneObject({ status, stdout, stderr }: Ran): Record<string, unknown> {
  expect(status, stderr).to.equal(0);
  expect(stdout.trimEnd().split('\n')).to.have.length(1);
  return JSON.parse(stdout) as Record<string, unknown>;
}
