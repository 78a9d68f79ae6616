/**
 * The mean of several runs' log-probabilities, evaluated as one model, and runs of another method against it, paired over the same users.
 *
 *   npx tsx bench/ensemble.ts --split test --of runs/i/sft-seed1,runs/i/sft-seed2 --against runs/i/ilrec-seed1
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  evaluateRecommender,
  type EvaluationResult,
  formatInterval,
  meanScorer,
  pairedDifference,
  scorerRecommender,
} from 'tfjs-ilrec';
import { loadPrepared, loadRun, useBackend } from 'tfjs-ilrec/node';
import { splitData } from '../src/data/split_data';

const { values } = parseArgs({
  options: {
    split: { type: 'string', default: 'valid' },
    of: { type: 'string' },
    against: { type: 'string' },
    backend: { type: 'string', default: 'node' },
  },
});
const folders = (list: string | undefined): string[] => (list ?? '').split(',').filter((folder) => folder !== '');
const split = values.split === 'test' ? 'test' : 'valid';

await useBackend(values.backend as 'node' | 'wasm');
const runs = await Promise.all(folders(values.of).map((folder) => loadRun(folder)));
const { manifest, config } = runs[0];
const { histories, targets } = splitData(await loadPrepared(manifest.data.folder))[split];
const scorer = meanScorer(runs.map(({ model }) => model.scorer ?? []).flat());
const excludeSeen = config.evaluation.seen === 'exclude';
const { maxHistory } = config.training;
const ensemble = await evaluateRecommender({
  ...scorerRecommender({ scorer, histories, maxHistory, excludeSeen }),
  targets,
  split,
  batchSize: 256,
});
const shown = (name: 'hr@10' | 'ndcg@10'): string =>
  `${name.toUpperCase()} ${formatInterval(ensemble[name], ensemble.ci95[name])}`;
console.log(`ensemble of ${runs.length}: ${shown('hr@10')}, ${shown('ndcg@10')}`);

const others = await Promise.all(
  folders(values.against).map(
    async (folder) => JSON.parse(await readFile(join(folder, `evaluation-${split}.json`), 'utf8')) as EvaluationResult,
  ),
);
if (others.length > 0) {
  for (const metric of ['ndcg', 'hr'] as const) {
    const { difference, ci95, pValue } = pairedDifference(
      others.map(({ ranks }) => Array.from(ranks)),
      [Array.from(ensemble.ranks)],
      { metric },
    );
    console.log(
      `${metric.toUpperCase()}@10 of ${values.against} against it: ${formatInterval(difference, ci95)}, p ${pValue}`,
    );
  }
}
