import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import ts from 'typescript';
import * as z from 'zod';
import { defineMethod, type Method } from '../../src/methods/method';
import { COMPARED_BY_DEFAULT, findMethod, inOrder, METHODS, REGISTRY, withOwn } from '../../src/methods/registry';

/** Files that may name methods: the registry, and models whose own options happen to be called like one. */
const MAY_NAME = /^src\/(methods\/registry\.ts|models\/)/;
const COMPARISONS = new Set([
  ts.SyntaxKind.EqualsEqualsEqualsToken,
  ts.SyntaxKind.ExclamationEqualsEqualsToken,
  ts.SyntaxKind.EqualsEqualsToken,
  ts.SyntaxKind.ExclamationEqualsToken,
]);

describe('the registry of methods', () => {
  it('gives each method a name and a place of its own', () => {
    expect(new Set(METHODS).size).to.equal(REGISTRY.length);
    expect(new Set(REGISTRY.map(({ order }) => order)).size).to.equal(REGISTRY.length);
    expect(COMPARED_BY_DEFAULT).to.deep.equal(['popularity', 'markov', 'sasrec', 'sft', 'sft-future', 'ilrec']);
  });

  it('puts a method after those that it needs by default', () => {
    for (const method of REGISTRY as readonly Method[])
      for (const need of method.needs?.(method.section.parse({})) ?? []) {
        const needed = findMethod(need.method);
        expect(needed.order, `${method.name} needs ${needed.name}`).to.be.below(method.order);
        expect(need.kinds).to.include(needed.kind);
      }
  });

  it('orders methods as tables list them, whatever order they are given in', () => {
    const names = inOrder([findMethod('ilrec'), findMethod('popularity'), findMethod('sft')]).map(({ name }) => name);
    expect(names).to.deep.equal(['popularity', 'sft', 'ilrec']);
  });

  it('is the only list: no other file compares with the name of a method, or lists several', () => {
    expect(
      namedIn(`if (method === 'ilrec') {}; switch (m) { case 'sft': } const both = ['sft', 'ilrec'];`),
    ).to.have.length(3);
    const found = sources('src').flatMap((path) =>
      MAY_NAME.test(path) ? [] : namedIn(readFileSync(path, 'utf8')).map((text) => `${path}: ${text}`),
    );
    expect(found).to.deep.equal([]);
  });

  it('says which names there are, and that a name is taken', () => {
    expect(() => findMethod('bert')).to.throw(
      `trainRun: method must be one of ${METHODS.join(', ')}, got bert; pass your own method in the option methods`,
    );
    const own = defineMethod({ ...findMethod('markov'), name: 'sft' });
    expect(() => withOwn([own])).to.throw('trainRun: the name "sft" belongs to another method; choose another name');
    expect(withOwn([findMethod('sft')])).to.have.length(REGISTRY.length);
  });

  it('refuses names that are no folder', () => {
    const named = (name: string): Method =>
      defineMethod({ ...findMethod('markov'), name, section: z.strictObject({}) });
    expect(() => named('My Method')).to.throw(
      'defineMethod: name must be lower-case letters, digits and hyphens, and start with a letter, got "My Method"',
    );
    expect(named('my-2').name).to.equal('my-2');
  });
});

function sources(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return names.filter((name) => name.endsWith('.ts')).map((name) => join(folder, name));
}

/** Comparisons with the name of a method, cases of it, and lists of two names or more. */
function namedIn(text: string): string[] {
  const names = new Set<string>(METHODS);
  const isName = (node: ts.Node): boolean => ts.isStringLiteralLike(node) && names.has(node.text);
  const file = ts.createSourceFile('file.ts', text, ts.ScriptTarget.Latest, true);
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    const compares =
      ts.isBinaryExpression(node) &&
      COMPARISONS.has(node.operatorToken.kind) &&
      (isName(node.left) || isName(node.right));
    const cases = ts.isCaseClause(node) && isName(node.expression);
    const lists = ts.isArrayLiteralExpression(node) && node.elements.filter(isName).length > 1;
    if (compares || cases || lists) found.push(node.getText());
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}
