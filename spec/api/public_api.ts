import { join, relative } from 'node:path';
import ts from 'typescript';
import { repository } from '../support/installed_package';

/** The package's entries and their sources. */
export const ENTRIES = {
  'tfjs-ilrec': 'src/index.ts',
  'tfjs-ilrec/node': 'src/node.ts',
  'tfjs-ilrec/kernels': 'src/kernels.ts',
  'tfjs-ilrec/data': 'src/data.ts',
  'tfjs-ilrec/evaluation': 'src/evaluation.ts',
} as const;

export type EntryName = keyof typeof ENTRIES;
export type PublicDeclaration = ts.FunctionDeclaration | ts.ClassDeclaration;

/** A function or class that an entry exports. */
export interface PublicExport {
  readonly name: string;
  /** Where it is declared, from the repository's root. */
  readonly file: string;
  /** Several where a function has overloads; the implementation, if there is one, comes last. */
  readonly declarations: readonly PublicDeclaration[];
}

export interface PublicApi {
  readonly program: ts.Program;
  readonly checker: ts.TypeChecker;
  /** Each once, sorted by file and name. */
  readonly exports: readonly PublicExport[];
  /** Every exported name of an entry, types included. */
  readonly names: ReadonlyMap<EntryName, readonly string[]>;
}

export const compilerOptions = (): ts.CompilerOptions => {
  const { config } = ts.readConfigFile(join(repository, 'tsconfig.json'), ts.sys.readFile);
  return ts.parseJsonConfigFileContent({ ...config, include: [] }, ts.sys, repository).options;
};

let read: PublicApi | undefined;

/** Reads the entries with TypeScript's compiler, once per process. */
export function readPublicApi(): PublicApi {
  return (read ??= readEntries());
}

function readEntries(): PublicApi {
  const program = ts.createProgram(
    Object.values(ENTRIES).map((file) => join(repository, file)),
    compilerOptions(),
  );
  const checker = program.getTypeChecker();
  const found = new Map<ts.Symbol, PublicExport>();
  const names = new Map<EntryName, string[]>();
  for (const [entry, file] of Object.entries(ENTRIES) as [EntryName, string][]) {
    const source = program.getSourceFile(join(repository, file));
    const symbol = source && checker.getSymbolAtLocation(source);
    const exported = symbol === undefined ? [] : checker.getExportsOfModule(symbol);
    names.set(entry, exported.map(({ name }) => name).sort());
    for (const alias of exported) {
      const target = valueOf(alias, checker);
      const declarations = (target?.declarations ?? []).filter(
        (node): node is PublicDeclaration => ts.isFunctionDeclaration(node) || ts.isClassDeclaration(node),
      );
      if (target === undefined || declarations.length === 0) continue;
      found.set(target, {
        name: alias.name,
        file: relative(repository, declarations[0].getSourceFile().fileName),
        declarations,
      });
    }
  }
  const exports = [...found.values()].sort((a, b) => a.file.localeCompare(b.file) || a.name.localeCompare(b.name));
  return { program, checker, exports, names };
}

/** What an export stands for; undefined where `export type` gives only its type. */
function valueOf(symbol: ts.Symbol, checker: ts.TypeChecker): ts.Symbol | undefined {
  if ((symbol.flags & ts.SymbolFlags.Alias) === 0) return symbol;
  if (symbol.declarations?.some(ts.isTypeOnlyExportDeclaration) === true) return undefined;
  const next = checker.getImmediateAliasedSymbol(symbol);
  return next && valueOf(next, checker);
}

/** The doc comment right above a declaration; undefined without one. */
export function docOf(node: ts.Node): ts.JSDoc | undefined {
  return ts.getJSDocCommentsAndTags(node).filter(ts.isJSDoc).at(-1);
}
