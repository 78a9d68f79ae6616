import { findMethod } from '../methods/registry';
import type { RunManifest } from '../runs/manifest';
import { counted, shellWord } from './output';

/** What `ilrec train` says at its end: how training went, where the model stands, and what can be done next. */
export function trainingEnd(run: string, manifest: RunManifest, warning: string | null): string {
  const { method, status, backend, steps, seconds, validation } = manifest;
  const best = validation?.best?.metrics['ndcg@10'];
  return [
    `${method} ${status}: ${counted(steps, 'step')} in ${seconds.toFixed(1)} s on ${backend}`,
    run,
    ...(best === undefined
      ? []
      : ['', `NDCG@10 on ${counted(validation?.users ?? 0, 'validation user')}:`, ...standings(manifest)]),
    ...(warning === null ? [] : ['', warning]),
    ...['', 'Next:', ...nextCommands(run, manifest).map((command) => `  ${command}`)],
  ].join('\n');
}

/** The model and the simple models on the same users, a line each, the best first. */
function standings({ method, validation }: RunManifest): string[] {
  const { best = null, bestStep = 0, baselines = {} } = validation ?? {};
  const own = { title: findTitle(method), value: best?.metrics['ndcg@10'] ?? NaN, at: `, at step ${bestStep}` };
  const others = Object.entries(baselines).map(([name, metrics]) => ({
    title: findTitle(name),
    value: metrics['ndcg@10'],
    at: '',
  }));
  const rows = [own, ...others].sort((a, b) => b.value - a.value);
  const width = Math.max(...rows.map(({ title }) => title.length));
  return rows.map(({ title, value, at }) => `  ${title.padEnd(width)}  ${value.toFixed(4)}${bestStep === 0 ? '' : at}`);
}

/** Shell commands that go on from here. */
export function nextCommands(run: string, { status, steps, validation }: RunManifest): string[] {
  const folder = shellWord(run);
  if (status !== 'done') return [`ilrec train --resume --out ${folder}`];
  const { best = null, bestStep = 0 } = validation ?? {};
  const isImproving = best !== null && bestStep > 0 && bestStep === steps;
  return [
    `ilrec evaluate --run ${folder}`,
    `ilrec recommend --run ${folder} --history ITEM,ITEM`,
    ...(isImproving ? [`ilrec train --resume --out ${folder} --epochs ${2 * best.epochs}`] : []),
  ];
}

function findTitle(name: string): string {
  return findMethod(name).title;
}
