import { formatWithOptions } from 'node:util';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import ts from 'typescript';
import * as z from 'zod';
import * as data from '../../src/data';
import * as evaluation from '../../src/evaluation';
import * as index from '../../src';
import * as kernels from '../../src/kernels';
import * as node from '../../src/node';
import { docOf, type PublicApi } from './public_api';

/** An `@example` of a public function or class. */
export interface Example {
  readonly name: string;
  readonly file: string;
  readonly code: string;
}

/** `console.log(X); // Y`: what the call at a line must print. */
interface Expectation {
  readonly line: number;
  readonly statement: string;
  readonly expected: string;
}

/** Every fenced ts block under an `@example` of the API, in order. */
export function readExamples({ exports }: PublicApi): Example[] {
  return exports.flatMap(({ name, file, declarations }) =>
    declarations.flatMap((node) => blocksOf(docOf(node)?.getText() ?? '').map((code) => ({ name, file, code }))),
  );
}

function blocksOf(comment: string): string[] {
  const text = comment
    .replace(/^\/\*\*|\*\/$/g, '')
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, ''))
    .join('\n');
  const examples = text.split(/^@(?=\w+)/m).filter((tag) => tag.startsWith('example'));
  return examples.flatMap((tag) => [...tag.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map(([, code]) => code));
}

type Load = (specifier: string) => Promise<unknown>;
type AsyncFunction = (load: Load, console: { log(line: number, ...values: unknown[]): void }) => Promise<void>;
const AsyncFunction = (async () => {}).constructor as new (...args: string[]) => AsyncFunction;

/**
 * The modules that examples import, the package from its sources. They are loaded with the spec: an `import()` at run time
 * would make a second copy of each, and tfjs would then load saved models with the layers of that copy.
 */
const modules: Readonly<Record<string, unknown>> = {
  'tfjs-ilrec': index,
  'tfjs-ilrec/node': node,
  'tfjs-ilrec/kernels': kernels,
  'tfjs-ilrec/data': data,
  'tfjs-ilrec/evaluation': evaluation,
  '@tensorflow/tfjs-core': tf,
  '@tensorflow/tfjs-layers': tfl,
  zod: z,
};
const load: Load = async (specifier) => modules[specifier] ?? (await import(specifier));

/**
 * Runs an example in the current folder and the current process.
 *
 * @throws an error with the example's name, and expected and actual text where they differ.
 */
export async function runExample({ name, code }: Example): Promise<void> {
  const { program, expectations } = compile(code);
  const printed = new Map<number, string[]>();
  try {
    await new AsyncFunction('load', 'console', program)(load, {
      log: (line, ...values) => {
        printed.set(line, [...(printed.get(line) ?? []), formatWithOptions({ colors: false }, ...values)]);
      },
    });
  } catch (error) {
    throw new Error(`the example of ${name} threw: ${String(error)}`, { cause: error });
  }
  for (const { line, statement, expected } of expectations) {
    const actual = printed.get(line) ?? [];
    if (actual.length > 0 && actual.every((text) => text === expected)) continue;
    const found = actual.length === 0 ? 'nothing: the line was not reached' : actual.join('\n            ');
    throw new Error(`the example of ${name} must print\n  ${statement}\n  expected: ${expected}\n  actual:   ${found}`);
  }
}

/** An async function's body: imports become `await load(...)`, and `console.log` is told its line. */
function compile(code: string): { program: string; expectations: Expectation[] } {
  const expectations: Expectation[] = [];
  const lines = code.split('\n');
  const transform: ts.TransformerFactory<ts.SourceFile> = (context) => (source) => {
    const visit = (node: ts.Node): ts.Node => {
      if (ts.isImportDeclaration(node)) return awaited(node, context.factory);
      if (!ts.isCallExpression(node) || node.expression.getText(source) !== 'console.log')
        return ts.visitEachChild(node, visit, context);
      const { line } = source.getLineAndCharacterOfPosition(node.end);
      const [, statement, expected] = /^(.*\)\)*;) \/\/ (.*)$/.exec(lines[line]) ?? [];
      if (expected !== undefined) expectations.push({ line, statement: statement.trim(), expected: expected.trim() });
      const { factory } = context;
      return factory.updateCallExpression(node, node.expression, undefined, [
        factory.createNumericLiteral(line),
        ...node.arguments,
      ]);
    };
    return ts.visitEachChild(source, visit, context);
  };
  const { outputText } = ts.transpileModule(code, {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
    transformers: { after: [transform] },
  });
  return { program: outputText.replace(/^export \{\};$/m, ''), expectations };
}

/** `import { a as b } from 'x'` as `const { a: b } = await load('x')`. */
function awaited(node: ts.ImportDeclaration, factory: ts.NodeFactory): ts.Statement {
  const module = factory.createAwaitExpression(
    factory.createCallExpression(factory.createIdentifier('load'), undefined, [node.moduleSpecifier]),
  );
  const clause = node.importClause;
  if (clause === undefined) return factory.createExpressionStatement(module);
  const element = ({ propertyName, name }: { propertyName?: ts.ModuleExportName; name: ts.Identifier }) =>
    factory.createBindingElement(undefined, propertyName?.text, name);
  const bindings = clause.namedBindings;
  const named = bindings !== undefined && ts.isNamedImports(bindings) ? bindings.elements.map(element) : [];
  if (clause.name !== undefined)
    named.push(element({ propertyName: factory.createIdentifier('default'), name: clause.name }));
  const target =
    bindings !== undefined && ts.isNamespaceImport(bindings)
      ? bindings.name
      : factory.createObjectBindingPattern(named);
  return factory.createVariableStatement(
    undefined,
    factory.createVariableDeclarationList(
      [factory.createVariableDeclaration(target, undefined, undefined, module)],
      ts.NodeFlags.Const,
    ),
  );
}
