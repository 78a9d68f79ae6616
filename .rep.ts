import { readFileSync, writeFileSync } from 'node:fs';
import { comparisonReport } from './src/report/comparison_report';
const { comparison, examples } = JSON.parse(readFileSync('/tmp/t/comparison.json', 'utf8'));
writeFileSync('/tmp/t/report.html', comparisonReport(comparison, { examples, title: 'ILRec on a generated shop', command: 'npm run demo' }));
