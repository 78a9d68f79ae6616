import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from './installed_package';

/** The first JavaScript program of the README, as printed there. */
export function readmeProgram(): string {
  const found = /^```js\n([\s\S]*?)^```/m.exec(readFileSync(join(repository, 'README.md'), 'utf8'));
  if (found === null) throw new Error('readmeProgram: README.md must hold a block that starts with ```js, got none');
  return found[1];
}

/** The same program for a CommonJS file: imports become `require`, the rest runs in an async function. */
export function toCommonJs(program: string): string {
  const imports = /^import (?:(?:\* as )?(.+?) from )?('.+?');$/gm;
  const required = [...program.matchAll(imports)].map(([, names, from]) => (names === undefined ? '' : `const ${names} = `) + `require(${from});`);
  const rest = program.replace(imports, '').trim();
  return `${required.join('\n')}\n(async () => {\n${rest}\n})();\n`;
}
