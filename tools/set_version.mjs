// After `changeset version`: writes the new version of package.json into src/version.ts and package-lock.json.
import { execSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
const source = readFileSync('src/version.ts', 'utf8');
writeFileSync('src/version.ts', source.replace(/VERSION = '.*'/, `VERSION = '${version}'`));
execSync('npm install --package-lock-only --ignore-scripts', { stdio: 'inherit' });
