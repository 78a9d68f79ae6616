/** How the specs run. */
export default {
  import: ['tsx', './spec/support/open_backends.ts'],
  reporter: './spec/support/summary_reporter.mjs',
  timeout: 20 * 60_000, // of each case and hook, far above what any takes on a busy machine: it ends one that hangs. No spec sets its own.
  exit: true,
};
