/**
 * The table of the Industrial runs from their kept evaluations, and ILRec against SFT, paired over the same rows.
 *
 *   npx tsx bench/industrial_table.ts runs/industrial
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { formatInterval, pairedDifference, type EvaluationResult } from 'tfjs-ilrec';
import { readManifest } from 'tfjs-ilrec/node';

const ROWS: readonly (readonly [string, string])[] = [
  ['Popularity', 'popularity'],
  ['Markov, first order', 'markov'],
  ['SASRec', 'sasrec'],
  ['Semantic ids alone, SFT', 'ids_sft'],
  ['LC-Rec style from nothing, SFT', 'lc_sft'],
  ['LC-Rec style from nothing, ILRec', 'lc_ilrec'],
  ['LC-Rec style from the checkpoint, SFT', 'lcp_sft'],
  ['LC-Rec style from the checkpoint, ILRec', 'lcp_ilrec'],
  ['LC-Rec style, that SFT continued, SFT', 'lcc_sft'],
  ['LC-Rec style, that SFT continued, ILRec', 'lcc_ilrec'],
  ['BIGRec style from nothing, SFT', 'bg_sft'],
  ['BIGRec style from nothing, ILRec', 'bg_ilrec'],
  ['BIGRec style from the checkpoint, SFT', 'bgp_sft'],
  ['BIGRec style from the checkpoint, ILRec', 'bgp_ilrec'],
  ['BIGRec style, that SFT continued, SFT', 'bgc_sft'],
  ['BIGRec style, that SFT continued, ILRec', 'bgc_ilrec'],
];
const METRICS = ['hr@5', 'ndcg@5', 'hr@10', 'ndcg@10'] as const;

const folder = process.argv[2] ?? 'runs/industrial';
const found = ROWS.filter(([, run]) => existsSync(join(folder, run, 'evaluation-test.json')));
const results = new Map(
  await Promise.all(
    found.map(
      async ([, run]) =>
        [
          run,
          JSON.parse(await readFile(join(folder, run, 'evaluation-test.json'), 'utf8')) as EvaluationResult,
        ] as const,
    ),
  ),
);

/** NDCG@10 of the same run with the items of the history left out of its lists, where that was evaluated. */
async function unseen(run: string): Promise<string> {
  const text = await readFile(join(folder, run, 'evaluation-test-exclude-seen.json'), 'utf8').catch(() => null);
  return text === null ? '–' : short((JSON.parse(text) as EvaluationResult)['ndcg@10'].toFixed(4));
}

const short = (text: string): string => text.replaceAll('0.', '.');
console.log(
  '| | HR@5 | NDCG@5 | HR@10 | NDCG@10 | NDCG@10, items seen left out | invalid items | seconds of training |\n|---|---|---|---|---|---|---|---|',
);
for (const [title, run] of found) {
  const result = results.get(run) as EvaluationResult;
  const { seconds } = await readManifest(join(folder, run));
  console.log(
    `| ${title} | ${METRICS.map((metric) => short(formatInterval(result[metric], result.ci95[metric]))).join(' | ')} | ${await unseen(run)} | ${result.invalidItems} | ${seconds.toFixed(0)} |`,
  );
}
for (const [title, run] of found.filter(([, name]) => name.endsWith('_ilrec'))) {
  const [ilrec, sft] = [results.get(run), results.get(run.replace('_ilrec', '_sft'))];
  if (ilrec === undefined || sft === undefined) continue;
  const ranks = (result: EvaluationResult): Int32Array => Int32Array.from(result.ranks);
  const { difference, ci95, pValue } = pairedDifference([ranks(ilrec)], [ranks(sft)], { metric: 'ndcg', k: 10 });
  console.log(
    `${title} against SFT: ${difference >= 0 ? '+' : ''}${formatInterval(difference, ci95)} NDCG@10, p = ${pValue.toFixed(3)}`,
  );
}
