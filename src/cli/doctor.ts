import { Command } from 'commander';
import { doctorReport, formatDoctorReport } from '../backends/doctor_node';
import { printResult } from './output';

/** `ilrec doctor`: `doctorReport`. */
export function doctorCommand(): Command {
  return new Command('doctor')
    .description('Say which backends are there, which are missing and how to add them.')
    .option('--json', 'print one JSON object')
    .action(async ({ json }: { json?: boolean }) => {
      const report = await doctorReport();
      printResult(json, report, formatDoctorReport(report));
    });
}
