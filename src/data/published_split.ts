import { IlrecError } from '../errors';
import type { PublishedCase } from './types';
import { chainWindows, type HistoryWindow } from './window_chain';

/** A window and the published split that it belongs to. */
export interface SplitWindow extends HistoryWindow {
  readonly split: 'train' | 'valid' | 'test';
}

/** One user's part of a published split. */
export interface UserSplit {
  /** The items before all held-out targets. */
  readonly train: number[];
  readonly valid: PublishedCase[];
  readonly test: PublishedCase[];
}

/**
 * Splits one user's windows as published: the held-out targets are removed from the end of the chained sequence.
 *
 * @param heldOut the splits whose targets must not be trained on.
 * @throws IlrecError when the held-out targets are not the user's last items.
 */
export function publishedSplit(
  user: string,
  windows: readonly SplitWindow[],
  heldOut: readonly SplitWindow['split'][],
): UserSplit {
  const { sequence } = chainWindows(windows.map(({ history, target }) => ({ history, target })));
  const out = windows.filter(({ split }) => heldOut.includes(split));
  const train = sequence.slice(0, sequence.length - out.length);
  const last = sequence.slice(train.length);
  const targets = out.map(({ target }) => target);
  if (sorted(last) !== sorted(targets)) {
    throw new IlrecError(
      `readMiniOneRec: the held-out targets must be the last items of user "${user}", got ` +
        `[${targets.join(', ')}] where the chained windows end with [${last.join(', ')}]; use leave-one-out instead`,
    );
  }
  const casesOf = (split: SplitWindow['split']): PublishedCase[] =>
    out
      .filter((window) => window.split === split)
      .map(({ history, target }) => ({ history: Int32Array.from(history), target }));
  return { train, valid: casesOf('valid'), test: casesOf('test') };
}

function sorted(items: readonly number[]): string {
  return [...items].sort((a, b) => a - b).join();
}
