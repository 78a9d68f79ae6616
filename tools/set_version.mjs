// After `changeset version`: writes the new version of package.json into src/version.ts and package-lock.json, and moves what CHANGELOG.md has under
// "Unreleased" under the new version.
import { execSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
const edit = (path, change) => writeFileSync(path, change(readFileSync(path, 'utf8')));

edit('src/version.ts', (source) => source.replace(/VERSION = '.*'/, `VERSION = '${version}'`));
edit('CHANGELOG.md', (changelog) => {
  const heading = `## ${version}\n`;
  const [, unreleased] = /^## Unreleased\n([\s\S]*?)(?=^## |$(?![\s\S]))/m.exec(changelog) ?? [];
  if (unreleased === undefined || !changelog.includes(heading)) return changelog;
  const rest = changelog.replace(`## Unreleased\n${unreleased}`, '').trimEnd();
  return `${rest.replace(heading, `${heading}${unreleased.trimEnd()}\n`)}\n`;
});
execSync('npm install --package-lock-only --ignore-scripts', { stdio: 'inherit' });
