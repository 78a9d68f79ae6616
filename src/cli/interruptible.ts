import { remark } from './output';

/** Exit status of a program that an interrupt ended. */
export const INTERRUPTED = 130;

/** Runs something that the first Ctrl-C asks to stop and the second one ends at once. */
export async function interruptible<T>(run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const onSignal = (): void => {
    if (controller.signal.aborted) process.exit(INTERRUPTED);
    controller.abort();
    remark('\nStopping after this step with a checkpoint; press Ctrl-C again to stop at once.');
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  try {
    return await run(controller.signal);
  } finally {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
}
