import type { Study } from '../runs/study';
import { type Chart, chartSection } from './chart_card';
import type { Compared } from './compared';
import { curves, lossChart, seriesOf } from './comparison_charts';
import type { ReportOptions } from './comparison_report';
import { trained } from './compared';
import { stepCurve } from './curves';
import { raw } from './html';
import { layerMaps, negativeCharts, overlapMaps } from './layer_charts';
import { details, reportPage } from './page';
import { costSection, listSection, protocolSection, resultSection } from './report_sections';
import { testTable } from './report_tables';
import { sliceCharts } from './slice_charts';
import { comparedOfStudy, pairsOf } from './studied';
import { concludeFromStudy } from './study_conclusion';
import { studyCostColumns } from './study_files';

/**
 * Writes a study as one HTML page that loads nothing and runs no script: a conclusion in words, the differences to the
 * first arm with their intervals, cost, curves, slices of the users, and what the layers and negatives of the arms did.
 *
 * @param study of `studyMethods`.
 * @param options title, default the data's name, and the command that makes the page.
 * @returns the page.
 * @throws IlrecError when an arm has a method that the package does not know.
 * @example
 * ```ts
 * import { studyMethods, studyReport } from 'tfjs-ilrec/node';
 *
 * const study = { method: 'popularity', config: { training: { validationUsers: 0 } }, arms: [{ name: 'Popularity' }] };
 * const found = await studyMethods({ data: 'data', out: 'runs/studied', study });
 * console.log(studyReport(found, { title: 'My study' }).includes('<title>My study</title>')); // true
 * ```
 */
export function studyReport(
  study: Study,
  { title = `Study on ${study.data.name}`, command }: Pick<ReportOptions, 'title' | 'command'> = {},
): string {
  const compared = comparedOfStudy(study);
  const hits = pairsOf(study, 'hr@10');
  const settings = study.arms.map(({ name, method, config }) => ({ name, method, config }));
  return reportPage(compared, {
    title,
    lead: study.description ?? '',
    command,
    took: 'trained',
    conclusion: concludeFromStudy(study),
    sections: [
      resultSection(
        compared,
        hits.length === 0 ? raw('') : details('The same tests in HR@10', testTable(compared, hits, 'Tests in HR@10')),
      ),
      costSection(compared, studyCostColumns(compared)),
      listSection(compared),
      chartSection('For whom', sliceCharts(compared)),
      chartSection('Training', [
        ...[lossChart(compared)].flatMap((chart) => chart ?? []),
        ...termCharts(compared),
        ...layerMaps(compared),
        ...overlapMaps(compared),
        ...negativeCharts(compared),
      ]),
      protocolSection(compared, JSON.stringify(settings, null, 2)),
    ],
  });
}

/** What the arms log beside the cross-entropy: a chart per quantity, a line per arm for which it is not always 0. */
function termCharts(compared: Compared): Chart[] {
  const lines = new Map(
    compared.methods.flatMap(({ diagnostics = [] }) =>
      diagnostics.flatMap(({ title, note, yLabel, lines: own = [] }) =>
        own.map(({ name, metric }) => [
          metric,
          { title: own.length === 1 ? title : `${title}: ${name}`, note, yLabel, metric },
        ]),
      ),
    ),
  );
  lines.delete('crossEntropy'); // has a chart already
  return [...lines.values()].flatMap(({ title, note, yLabel, metric }) => {
    const series = trained(compared).flatMap(({ method, look }) => {
      const own = seriesOf(method, look, ({ log }) => stepCurve(log, metric));
      return own.some(({ points }) => points.some(({ value }) => value !== 0)) ? own : [];
    });
    return series.length === 0
      ? []
      : [curves({ title, note, chart: { title, xLabel: 'training steps', yLabel, series } })];
  });
}
