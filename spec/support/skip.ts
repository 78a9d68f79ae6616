/**
 * Skips a case and says why, in its title; in a hook, the case or all cases that the hook is for. The summary at the
 * end of a run groups by reason.
 *
 * @param context `this` of the case or hook.
 * @param reason what is absent: 'the package webgpu finds no adapter'.
 */
export function skipBecause(context: Mocha.Context, reason: string): never {
  const explain = (test: Mocha.Runnable | undefined): void => {
    if (test !== undefined) test.title += ` (skipped: ${reason})`;
  };
  const { test, currentTest } = context;
  if (test?.title.startsWith('"before all" hook')) test.parent?.eachTest(explain);
  else if (test?.title.startsWith('"before each" hook')) explain(currentTest);
  else explain(test);
  context.skip();
}
