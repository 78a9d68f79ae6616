import { relative } from 'node:path';
import process from 'node:process';
import Mocha from 'mocha';

const { EVENT_HOOK_END, EVENT_RUN_END, EVENT_TEST_END, EVENT_TEST_FAIL, EVENT_TEST_PASS, EVENT_TEST_PENDING } =
  Mocha.Runner.constants;
const print = Mocha.reporters.Base.consoleLog;

/**
 * One line per spec file while they run, then the failures in full, what was skipped and why, and a last line for machines:
 * `N passed, N failed, N skipped`. Works with `--parallel` too, where the events of a file arrive together once it has ended.
 */
export default class SummaryReporter extends Mocha.reporters.Base {
  constructor(runner, options) {
    super(runner, options);
    /** Cases by the reason for which they were skipped. */
    this.skipped = new Map();
    this.file = null;
    runner.on(EVENT_TEST_PASS, (test) => this.of(test).passed++);
    runner.on(EVENT_TEST_FAIL, (test) => this.of(test).failed++);
    runner.on(EVENT_TEST_PENDING, (test) => {
      this.of(test).skipped++;
      const reason = /\(skipped: (.+?)\)(?= |$)/.exec(test.fullTitle())?.[1] ?? test.title;
      this.skipped.set(reason, (this.skipped.get(reason) ?? 0) + 1);
    });
    for (const event of [EVENT_TEST_END, EVENT_HOOK_END])
      runner.on(event, (ended) => (this.of(ended).milliseconds += ended.duration ?? 0));
    runner.once(EVENT_RUN_END, () => {
      this.printFile();
      if (this.failures.length > 0) Mocha.reporters.Base.list(this.failures);
      this.printSkipped();
      const { passes, failures, pending } = this.stats;
      print(`${passes} passed, ${failures} failed, ${pending} skipped`);
    });
  }

  /** The counts of the file of a case or hook; prints those of the file before it. */
  of({ file }) {
    if (file === undefined) return { milliseconds: 0 }; // a hook of the whole run
    if (this.file?.path !== file) {
      this.printFile();
      this.file = { path: file, passed: 0, failed: 0, skipped: 0, milliseconds: 0 };
    }
    return this.file;
  }

  printFile() {
    if (this.file === null) return;
    const { path, passed, failed, skipped, milliseconds } = this.file;
    const counts = [
      `${passed} passed`,
      ...(failed > 0 ? [`${failed} FAILED`] : []),
      ...(skipped > 0 ? [`${skipped} skipped`] : []),
    ];
    const seconds = `${(milliseconds / 1000).toFixed(1)} s`;
    print(`${relative(process.cwd(), path).padEnd(56)} ${seconds.padStart(8)}  ${counts.join(', ')}`);
  }

  printSkipped() {
    if (this.skipped.size === 0) return;
    print('\nskipped:');
    for (const [reason, count] of this.skipped) print(`${String(count).padStart(6)}  ${reason}`);
    print();
  }
}
