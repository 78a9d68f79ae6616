/**
 * Speed and memory: measures the ratios S1 to S14, writes bench/results.json and the section "Speed and memory" of
 * bench/RESULTS.md.
 *
 *   npm run bench              all
 *   npm run bench -- S3 S7     some; the rows of the others stay as they were
 *
 * Each file of bench/cases runs in a process of its own, once for each backend that it names and that is installed.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BenchCase, BenchRow } from './harness';
import { withSpeedSection } from './report';

const folder = fileURLToPath(new URL('.', import.meta.url));
const [jsonPath, reportPath] = [join(folder, 'results.json'), join(folder, 'RESULTS.md')];
const wanted = process.argv.slice(2).map((name) => name.toUpperCase());

const files = readdirSync(join(folder, 'cases'))
  .filter((name) => name.endsWith('.ts'))
  .sort();
const known: string[] = [];
let rows: BenchRow[] = existsSync(jsonPath) ? (JSON.parse(readFileSync(jsonPath, 'utf8')) as BenchRow[]) : [];
const scratch = mkdtempSync(join(tmpdir(), 'bench-'));
try {
  for (const file of files) {
    const { benchCase } = (await import(`./cases/${file}`)) as { benchCase: BenchCase };
    known.push(...benchCase.names);
    const isWanted = wanted.length === 0 || benchCase.names.some((name) => wanted.includes(name));
    if (!isWanted) continue;
    for (const backend of benchCase.backends) {
      const out = join(scratch, 'rows.json');
      rmSync(out, { force: true });
      const { status } = spawnSync(
        process.execPath,
        ['--expose-gc', '--import', 'tsx', join(folder, 'run_case.ts'), file, backend, out],
        { stdio: 'inherit' },
      );
      if (status !== 0) throw new Error(`bench: ${basename(file)} on ${backend} must end with status 0, got ${status}`);
      if (!existsSync(out)) continue; // the backend is not installed; it has said so
      const measured = JSON.parse(readFileSync(out, 'utf8')) as BenchRow[];
      if (measured.length === 0) continue; // something else is not there, such as PyTorch: what is known stays
      rows = [...rows.filter((row) => row.backend !== backend || !benchCase.names.includes(row.name)), ...measured];
      save();
    }
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
const strange = wanted.filter((name) => !known.includes(name));
if (strange.length > 0) {
  console.error(`bench: names must be among ${[...new Set(known)].join(', ')}, got ${strange.join(', ')}`);
  process.exitCode = 1;
}

/** Both files are written aside and renamed, so that an interrupted run leaves whole ones. */
function save(): void {
  const place = (name: string): number => Number(name.slice(1));
  rows.sort((a, b) => place(a.name) - place(b.name) || b.backend.localeCompare(a.backend));
  for (const [path, text] of [
    [jsonPath, `${JSON.stringify(rows, null, 1)}\n`],
    [reportPath, withSpeedSection(readFileSync(reportPath, 'utf8'), rows)],
  ] as const) {
    writeFileSync(`${path}.tmp`, text);
    renameSync(`${path}.tmp`, path);
  }
}
