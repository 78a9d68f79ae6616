import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from './installed_package';

/** README, the two files beside it and the pages of docs/, by their path in the repository. */
export const pages: readonly string[] = [
  ...['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md'],
  ...readdirSync(join(repository, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .sort()
    .map((name) => `docs/${name}`),
].filter((page) => existsSync(join(repository, page)));

export function textOf(page: string): string {
  return readFileSync(join(repository, page), 'utf8');
}

/** The fenced blocks of a page in one language, as printed there. */
export function blocksOf(page: string, language: string): string[] {
  const fenced = new RegExp(`^(\`{3,})${language}\\n([\\s\\S]*?)^\\1$`, 'gm');
  return [...textOf(page).matchAll(fenced)].map(([, , block]) => block);
}

/** The JavaScript programs of a page, which specs run. @throws Error when it has none. */
export function programsOf(page: string): string[] {
  const found = blocksOf(page, 'js');
  if (found.length === 0) throw new Error(`programsOf: ${page} must hold a block that starts with \`\`\`js, got none`);
  return found;
}

/** The same program for a CommonJS file: imports become `require`, the rest runs in an async function. */
export function toCommonJs(program: string): string {
  const imports = /^import (?:(?:\* as )?([^;']+?) from )?('.+?');$/gm;
  const required = [...program.matchAll(imports)].map(
    ([, names, from]) => (names === undefined ? '' : `const ${names} = `) + `require(${from});`,
  );
  const rest = program.replace(imports, '').trim();
  return `${required.join('\n')}\n(async () => {\n${rest}\n})();\n`;
}
