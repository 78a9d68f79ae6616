import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from './installed_package';

/** The JavaScript programs of the README, as printed there. */
export function readmePrograms(): string[] {
  const found = [...readFileSync(join(repository, 'README.md'), 'utf8').matchAll(/^```js\n([\s\S]*?)^```/gm)];
  if (found.length === 0)
    throw new Error('readmePrograms: README.md must hold a block that starts with ```js, got none');
  return found.map(([, program]) => program);
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
