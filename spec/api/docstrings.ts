import ts from 'typescript';
import { docOf, type PublicApi, type PublicDeclaration, type PublicExport } from './public_api';

/** What a docstring lacks, e.g. { name: 'crossEntropy', lacks: '@returns' }. */
export interface Missing {
  readonly name: string;
  readonly file: string;
  readonly lacks: string;
}

/**
 * What the docstrings of the exported functions and classes lack. The rules:
 * - Each has a description and an `@example`.
 * - A function has `@param` for each parameter, in order, and `@returns` unless it returns nothing.
 * - A class has `@param` for each parameter of its constructor, on the class or the constructor. Its public methods have a description, unless
 *   they override a method of the class that it extends.
 * - A function, or a constructor, that can throw an IlrecError says when, with `@throws`. It can throw if it contains a `throw`, or if it calls a
 *   function of src that can, however deep. What a function that it returns can throw does not count. One that cannot throw needs no `@throws`.
 */
export function missingDocs(api: PublicApi): Missing[] {
  const throws = throwFinder(api.checker);
  return api.exports.flatMap((found) =>
    lacksOf(found, api.checker, throws).map((lacks) => ({ name: found.name, file: found.file, lacks })),
  );
}

type CanThrow = (node: ts.Node) => boolean;

function lacksOf({ declarations }: PublicExport, checker: ts.TypeChecker, canThrow: CanThrow): string[] {
  const documented = declarations.filter((node) => docOf(node) !== undefined);
  if (documented.length === 0) return ['a docstring'];
  const [node] = declarations;
  return ts.isClassDeclaration(node)
    ? lacksOfClass(node, checker, canThrow)
    : lacksOfFunction(documented as ts.FunctionDeclaration[], declarations, canThrow);
}

function lacksOfFunction(
  documented: readonly ts.FunctionDeclaration[],
  declarations: readonly PublicDeclaration[],
  canThrow: CanThrow,
): string[] {
  const has = (tag: string): boolean => documented.some((node) => tagsOf(node).some((text) => text === tag));
  const lacks = documented.some(hasDescription) ? [] : ['a description'];
  for (const node of documented) lacks.push(...lacksOfParameters(node.parameters, paramsOf(node)));
  const { type, body } = declarations.at(-1) as ts.FunctionDeclaration;
  if (!returnsNothing(type) && !has('returns')) lacks.push('@returns');
  if (body !== undefined && canThrow(body) && !has('throws')) lacks.push('@throws');
  if (!has('example')) lacks.push('@example');
  return [...new Set(lacks)];
}

function lacksOfClass(node: ts.ClassDeclaration, checker: ts.TypeChecker, canThrow: CanThrow): string[] {
  const made = node.members.filter(ts.isConstructorDeclaration).find(isPublic); // a private one is no way to make one
  const tags = [...tagsOf(node), ...(made === undefined ? [] : tagsOf(made))];
  const lacks = hasDescription(node) ? [] : ['a description'];
  if (made !== undefined) lacks.push(...lacksOfParameters(made.parameters, [...paramsOf(node), ...paramsOf(made)]));
  if (made?.body !== undefined && canThrow(made.body) && !tags.includes('throws')) lacks.push('@throws');
  if (!tags.includes('example')) lacks.push('@example');
  for (const member of node.members) {
    if (!ts.isMethodDeclaration(member) || !isPublic(member) || overrides(node, member, checker)) continue;
    if (!hasDescription(member)) lacks.push(`a description of ${member.name.getText()}()`);
  }
  return lacks;
}

function lacksOfParameters(parameters: readonly ts.ParameterDeclaration[], documented: readonly string[]): string[] {
  return parameters.flatMap(({ name }, i) => {
    if (!ts.isIdentifier(name)) return documented.length > i ? [] : ['@param options'];
    return documented.includes(name.text.replace(/^_/, '')) ? [] : [`@param ${name.text}`];
  });
}

const tagsOf = (node: ts.Node): string[] => (docOf(node)?.tags ?? []).map(({ tagName }) => tagName.text);
const paramsOf = (node: ts.Node): string[] =>
  [...(docOf(node)?.tags ?? [])]
    .filter(ts.isJSDocParameterTag)
    .map(({ name }) => name.getText())
    .filter((name) => !name.includes('.'));
const hasDescription = (node: ts.Node): boolean => (ts.getTextOfJSDocComment(docOf(node)?.comment) ?? '').trim() !== '';

function returnsNothing(type: ts.TypeNode | undefined): boolean {
  const text = type?.getText() ?? '';
  return ['void', 'Promise<void>', 'undefined', 'never'].includes(text) || text.startsWith('asserts ');
}

function isPublic(member: ts.MethodDeclaration | ts.ConstructorDeclaration): boolean {
  if (member.name !== undefined && ts.isPrivateIdentifier(member.name)) return false;
  return (ts.getCombinedModifierFlags(member) & (ts.ModifierFlags.Private | ts.ModifierFlags.Protected)) === 0;
}

function overrides(node: ts.ClassDeclaration, member: ts.MethodDeclaration, checker: ts.TypeChecker): boolean {
  if (ts.getCombinedModifierFlags(member) & ts.ModifierFlags.Override) return true;
  const bases = node.heritageClauses?.flatMap(({ types }) => [...types]) ?? [];
  return bases.some((base) => checker.getTypeAtLocation(base).getProperty(member.name.getText()) !== undefined);
}

/** Follows calls through src, into callbacks too: they are mostly run by `tf.tidy` and array methods. */
function throwFinder(checker: ts.TypeChecker): CanThrow {
  const known = new Map<ts.Node, boolean>();
  const canThrow: CanThrow = (node) => {
    const earlier = known.get(node);
    if (earlier !== undefined) return earlier;
    known.set(node, false); // recursion adds nothing
    const result = ts.forEachChild(node, search) ?? false;
    known.set(node, result);
    return result;
  };
  const search = (node: ts.Node): boolean => {
    if (ts.isThrowStatement(node)) return true;
    if (runsLater(node)) return false;
    if ((ts.isCallExpression(node) || ts.isNewExpression(node)) && bodyOf(node, checker).some(canThrow)) return true;
    return ts.forEachChild(node, search) ?? false;
  };
  return canThrow;
}

/** A function that is returned, alone or in an object, or has a name: then the calls of it are followed. */
function runsLater(node: ts.Node): boolean {
  if (ts.isFunctionDeclaration(node)) return true;
  if (ts.isMethodDeclaration(node)) return ts.isObjectLiteralExpression(node.parent);
  if (!ts.isArrowFunction(node) && !ts.isFunctionExpression(node)) return false;
  return [ts.isPropertyAssignment, ts.isReturnStatement, ts.isVariableDeclaration].some((is) => is(node.parent));
}

/** The bodies of what a call or `new` runs, where they are in src. */
function bodyOf(node: ts.CallExpression | ts.NewExpression, checker: ts.TypeChecker): ts.Node[] {
  const symbol = checker.getSymbolAtLocation(node.expression);
  if (symbol === undefined) return [];
  const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  return (target.declarations ?? []).flatMap((declaration) => {
    if (!/[\\/]src[\\/]/.test(declaration.getSourceFile().fileName)) return [];
    if (ts.isClassDeclaration(declaration)) return declaration.members.find(ts.isConstructorDeclaration)?.body ?? [];
    if (ts.isFunctionLike(declaration)) return ('body' in declaration && declaration.body) || [];
    if (ts.isVariableDeclaration(declaration)) return declaration.initializer ?? [];
    return [];
  });
}
