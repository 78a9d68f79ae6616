import type { PrepareReport } from '../data/types';

const MIN_PERPLEXITY_SHARE = 0.25; // a level whose perplexity is below this share of its codes is called collapsed

/**
 * Formats a report as `ilrec prepare` prints it.
 *
 * @param name name of the dataset.
 * @param report the `report` of prepared data.
 * @returns several lines of text, without a line break at the end.
 * @example
 * ```ts
 * import { demoCatalogue, formatPrepareReport, prepareInteractions } from 'tfjs-ilrec';
 *
 * const { name, report } = prepareInteractions(demoCatalogue({ numItems: 40, numUsers: 60 }));
 * const [firstLine] = formatPrepareReport(name, report).split('\n');
 * console.log(firstLine); // demo (interactions): 60 users, 40 items, 614 interactions
 * ```
 */
export function formatPrepareReport(name: string, report: PrepareReport): string {
  const { users, items, interactions, dropped, sequenceLength: length, semanticIds: ids } = report;
  const lines = [
    `${name} (${report.format}): ${count(users)} users, ${count(items)} items, ${count(interactions)} interactions`,
    `  interactions per user: ${length.min} to ${length.max}, mean ${length.mean.toFixed(1)}; ${report.maxHistory === null ? 'prompts show whole histories' : `prompts show the last ${report.maxHistory}`}`,
    `  dropped${report.kCore > 0 ? ` by the ${report.kCore}-core` : ''}: ${count(dropped.users)} users, ${count(dropped.items)} items, ${count(dropped.interactions)} interactions`,
  ];
  if (report.cases !== undefined)
    lines.push(
      `  published rows to evaluate: ${count(report.cases.valid)} of validation, ${count(report.cases.test)} of ` +
        'test; the interactions above are for training',
    );
  if (report.itemsWithoutInteractions > 0)
    lines.push(`  ${count(report.itemsWithoutInteractions)} items have no interaction; they stay in the catalogue`);
  lines.push(
    `  semantic ids (${ids.source === 'given' ? 'from the dataset' : `residual k-means, seed ${report.seed}`}): ${ids.levels} levels, ${count(ids.distinct)} different ones, ${count(ids.collisions)} items share another's`,
  );
  ids.codesUsed.forEach((used, level) => {
    const tellsApart = ids.residual !== undefined && level >= ids.residual.length;
    const ofCodebook = ids.codebookSize === undefined || tellsApart ? '' : ` of ${ids.codebookSize}`;
    const residual =
      ids.residual?.[level] === undefined
        ? ''
        : `, ${(100 * ids.residual[level]).toFixed(0)} % of the variance remains`;
    const collapsed =
      !tellsApart && ids.perplexity[level] < MIN_PERPLEXITY_SHARE * used
        ? ' (collapsed: few codes hold most items)'
        : '';
    lines.push(
      `    level ${level + 1}: ${used}${ofCodebook} codes used, perplexity ` +
        `${ids.perplexity[level].toFixed(1)}${collapsed}${residual}`,
    );
  });
  if (ids.collisionsBeforeLastLevel)
    lines.push(`    the last level tells apart ${count(ids.collisionsBeforeLastLevel)} items that shared an id`);
  for (const note of report.notes) lines.push(`  note: ${note}`);
  return lines.join('\n');
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}
