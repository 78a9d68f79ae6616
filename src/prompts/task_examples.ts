import { mixSeeds } from '../ops/dropout';
import { createRandom } from '../random';
import { type TaskName, TASKS } from './templates';

/** One training example: a task, its subject, and the template of the prompt. */
export interface TaskExample {
  readonly task: TaskName;
  /** Index of the sequence in a sequence task, -1 in an item task. */
  readonly sequence: number;
  /** Position of the target in the sequence, or the item of an item task. */
  readonly at: number;
  /** Index of the template. */
  readonly template: number;
}

export interface DrawOptions {
  sequences: readonly ArrayLike<number>[];
  /** Whether each item has a title, which tasks about titles need, [N]. */
  hasTitle: readonly boolean[];
  /** Share of each task's examples that an epoch draws, at least 0; above 1 some are drawn more than once. */
  weights: Readonly<Partial<Record<TaskName, number>>>;
  numTemplates(task: TaskName): number;
  /** Least number of items before a target. */
  minHistory: number;
  seed: number;
  epoch: number;
}

/**
 * Draws the examples of an epoch; every epoch has the same number. The shuffled order continues from epoch to epoch, so
 * that no example repeats before all were drawn. A weight of 2 draws each example twice.
 */
export function drawExamples({
  sequences,
  hasTitle,
  weights,
  numTemplates,
  minHistory,
  seed,
  epoch,
}: DrawOptions): TaskExample[] {
  const examples: TaskExample[] = [];
  (Object.keys(TASKS) as TaskName[]).forEach((task, t) => {
    const weight = weights[task] ?? 0;
    if (weight === 0 || numTemplates(task) === 0) return;
    const all = placesOf(task, sequences, hasTitle, minHistory);
    const numPlaces = all.at.length;
    const count = Math.round(weight * numPlaces);
    let pass = -1;
    let order = new Int32Array(0);
    for (let i = 0; i < count; i++) {
      const drawn = epoch * count + i; // over all epochs
      if (Math.floor(drawn / numPlaces) !== pass) {
        pass = Math.floor(drawn / numPlaces);
        order = createRandom(mixSeeds(seed, t, pass)).shuffle(Int32Array.from(all.at.keys()));
      }
      const place = order[drawn % numPlaces];
      examples.push({
        task,
        sequence: all.sequence[place],
        at: all.at[place],
        template: mixSeeds(seed, 1, epoch, t, i) % numTemplates(task),
      });
    }
  });
  return examples;
}

/** All examples of a task. */
function placesOf(
  task: TaskName,
  sequences: readonly ArrayLike<number>[],
  hasTitle: readonly boolean[],
  minHistory: number,
): { sequence: number[]; at: number[] } {
  const places = { sequence: [] as number[], at: [] as number[] };
  const { of, response } = TASKS[task];
  if (of === 'item') {
    hasTitle.forEach((titled, item) => {
      if (!titled) return; // both item tasks need the title
      places.sequence.push(-1);
      places.at.push(item);
    });
  } else {
    sequences.forEach((items, sequence) => {
      for (let at = minHistory; at < items.length; at++) {
        if (response === 'title' && !hasTitle[items[at]]) continue;
        places.sequence.push(sequence);
        places.at.push(at);
      }
    });
  }
  return places;
}
