import { expect } from 'chai';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import ts from 'typescript';
import '../support/backends';
import { repository } from '../support/installed_package';
import { type Example, readExamples, runExample } from './examples';
import { writeFixtures } from './fixtures';
import { compilerOptions, readPublicApi } from './public_api';

/** What differs between the examples' files and the project's own. */
const EXAMPLE_OPTIONS: ts.CompilerOptions = { noUnusedLocals: false };

describe('the examples of the docstrings', () => {
  const examples = readExamples(readPublicApi());
  const home = process.cwd();
  let fixtures: string;
  let folder: string;

  before(async () => {
    fixtures = await mkdtemp(join(tmpdir(), 'ilrec-fixtures-'));
    await tf.setBackend('wasm');
    await writeFixtures(fixtures);
  });
  after(() => rm(fixtures, { recursive: true, force: true }));

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ilrec-example-'));
    await cp(fixtures, folder, { recursive: true });
    process.chdir(folder);
    await tf.setBackend('wasm');
  });
  afterEach(async () => {
    process.chdir(home);
    await rm(folder, { recursive: true, force: true });
  });

  for (const example of examples) it(`${example.name} (${example.file})`, () => runExample(example));

  it('have the types that the package declares', () => {
    expect(typeErrors(examples)).to.deep.equal([]);
  });
});

describe('runExample', () => {
  const messageOf = async (code: string): Promise<string> => {
    try {
      await runExample({ name: 'sum', file: '', code });
      return '';
    } catch (error) {
      return (error as Error).message;
    }
  };

  it('passes where each line prints what its comment says', async () => {
    const code = `
      import * as path from 'node:path';
      import { gain as gainOf, type MetricName } from 'tfjs-ilrec/evaluation';
      const metric: MetricName = 'ndcg';
      console.log(gainOf(metric, 1, 5), path.basename('a/b')); // 1 b
      await Promise.resolve();
      for (const value of [[1], [1]]) console.log({ value }); // { value: [ 1 ] }
      console.log('not asserted');`;
    expect(await messageOf(code)).to.equal('');
  });

  it('says what was expected and what was printed', async () => {
    expect(await messageOf('console.log(1 + 1); // 3')).to.equal(
      'the example of sum must print\n  console.log(1 + 1);\n  expected: 3\n  actual:   2',
    );
  });

  it('fails where a line is not reached or the code throws', async () => {
    expect(await messageOf('if (Math.PI < 3)\n  console.log(1); // 1')).to.match(
      /actual: {3}nothing: the line was not/,
    );
    expect(await messageOf("throw new Error('no');")).to.equal('the example of sum threw: Error: no');
  });
});

/** Each example as a module of its own in the repository's root. */
function typeErrors(examples: readonly Example[]): string[] {
  const options = { ...compilerOptions(), ...EXAMPLE_OPTIONS };
  const codeOf = new Map(examples.map(({ name, code }, i) => [join(repository, `example${i}_${name}.ts`), code]));
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (path) => codeOf.has(path) || fileExists(path);
  host.readFile = (path) => codeOf.get(path) ?? readFile(path);
  host.getSourceFile = (path, version, ...rest) => {
    const code = codeOf.get(path);
    return code === undefined
      ? getSourceFile(path, version, ...rest)
      : ts.createSourceFile(path, `${code}\nexport {};`, version);
  };
  const program = ts.createProgram([...codeOf.keys()], options, host);
  return [...codeOf.keys()].flatMap((path) =>
    ts.getPreEmitDiagnostics(program, program.getSourceFile(path)).map(({ messageText, start = 0, file }) => {
      const line = file?.text.slice(0, start).split('\n').length;
      return `${path.replace(/.*example\d+_/, '')}:${line} ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
    }),
  );
}
