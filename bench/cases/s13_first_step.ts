import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type BenchCase, type BenchRow, ceiling, median, MIN_RUNS, quantile, row } from '../harness';
import type { FirstStepTimes } from '../first_step';

const child = fileURLToPath(new URL('../first_step.ts', import.meta.url));
const SETTING = 'D 128, L 4, V 8000, B 4';

export const benchCase: BenchCase = {
  names: ['S13'],
  backends: ['wasm', 'node'],
  run: (backend) => {
    const times = Array.from({ length: MIN_RUNS }, () => {
      const output = execFileSync(process.execPath, ['--import', 'tsx', child, backend], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      return JSON.parse(output.trim().split('\n').at(-1) as string) as FirstStepTimes;
    });
    const peak = ceiling();
    const compare = (
      ours: readonly number[],
      other: readonly number[],
    ): Pick<BenchRow, 'ours' | 'other' | 'ratio' | 'quartiles'> => {
      const ratios = ours.map((time, i) => time / other[i]);
      return {
        ours: median(ours),
        other: median(other),
        ratio: median(ratios),
        quartiles: [quantile(ratios, 0.25), quantile(ratios, 0.75)],
      };
    };
    const shared = { name: 'S13', backend, unit: 'ms', goal: ['<=', 3], stretch: ['<=', 1.5], ceiling: peak } as const;
    return Promise.resolve([
      row({
        ...shared,
        what: 'first step of a process / steady step',
        setting: `${SETTING}, T 128`,
        ...compare(
          times.map(({ first }) => first),
          times.map(({ steady }) => steady),
        ),
        note: `medians over ${MIN_RUNS} processes; building the model is not in the first step, making the optimizer's state is`,
      }),
      row({
        ...shared,
        what: 'first step at a new length / steady step there',
        setting: `${SETTING}, T 96 after 128, 64, 160, 32`,
        ...compare(
          times.map(({ newLength }) => newLength),
          times.map(({ newLengthSteady }) => newLengthSteady),
        ),
        note: 'nothing is compiled anew for a new shape',
      }),
    ]);
  },
};
