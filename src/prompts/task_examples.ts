import { mixSeeds } from '../ops/dropout';
import { createRandom } from '../random';
import { type TaskName, TASKS } from './templates';

/** One thing to learn: a task, what it is about, and the template that asks. */
export interface TaskExample {
  readonly task: TaskName;
  /** Of a sequence task which sequence it is, of an item task -1. */
  readonly sequence: number;
  /** Of a sequence task the place of the target in it, of an item task the item. */
  readonly at: number;
  readonly template: number;
}

export interface DrawOptions {
  sequences: readonly ArrayLike<number>[];
  /** Whether an item has a title: tasks that show or ask for one need it, [N]. */
  hasTitle: readonly boolean[];
  /** Examples of each task that an epoch draws, as a share of all there are, at least 0. */
  weights: Readonly<Partial<Record<TaskName, number>>>;
  numTemplates(task: TaskName): number;
  /** Items a target must have before it. */
  minHistory: number;
  seed: number;
  epoch: number;
}

/**
 * Draws the examples of an epoch, the same number in each. Examples are dealt out in a shuffled order that runs on from epoch to epoch, so that
 * no example comes a second time before all have come once; a weight of 2 deals each twice.
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
      const dealt = epoch * count + i; // over all epochs
      if (Math.floor(dealt / numPlaces) !== pass) {
        pass = Math.floor(dealt / numPlaces);
        order = createRandom(mixSeeds(seed, t, pass)).shuffle(Int32Array.from(all.at.keys()));
      }
      const place = order[dealt % numPlaces];
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

/** All examples that there are of a task. */
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
