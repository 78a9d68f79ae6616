import { Command } from 'commander';
import type { BackendName } from '../backends/backend_table_node';
import { doctorReport, formatDoctorReport } from '../backends/doctor_node';
import { backendOption } from './backend';
import { printResult } from './output';

/** `ilrec doctor`: `doctorReport`. */
export function doctorCommand(): Command {
  return new Command('doctor')
    .description('List which backends are ready and how to install the others.')
    .addOption(backendOption('check only this backend; exit with 1 if it is not ready'))
    .option('--json', 'print one JSON object')
    .action(async ({ backend, json }: { backend: BackendName | 'auto'; json?: boolean }) => {
      const report = await doctorReport(backend === 'auto' ? undefined : [backend]);
      printResult(json, report, formatDoctorReport(report));
      if (backend !== 'auto' && !report.backends[0].ready) process.exitCode = 1;
    });
}
