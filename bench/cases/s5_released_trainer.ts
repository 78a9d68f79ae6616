import { ceiling, row, type BenchCase, type BenchRow } from '../harness';
import { agreement, pairedWithPython, PythonServer, threadsOf, type PythonStep } from '../python_server';
import { OPTIONS, Problem, type Sizes } from './s4_pytorch_loss';

const [V, D, K, T] = [32_000, 256, 4, 512];
const LEARNT = 2;

/** Rows of the batch, response tokens of each, and the goal. */
const SETTINGS = [
  { B: 1, response: 5, goal: 40, nativeStretch: 200 },
  { B: 2, response: 5, goal: 40, nativeStretch: 200 },
  { B: 1, response: 20, goal: 10, nativeStretch: undefined },
  { B: 2, response: 20, goal: 10, nativeStretch: undefined },
] as const;
/** The terms that the released trainer has on, and all of ours. */
const TERMS = [
  { name: 'CPO alone, as released', options: { ...OPTIONS, distillationWeight: 0 } },
  { name: 'CPO, and CPD in ours alone', options: OPTIONS },
] as const;

/**
 * What the released trainer's loss costs (bench/pytorch/released_trainer.py says what is taken for it) against ours on
 * the same response rows, with the terms that it has on, and once more with CPD in ours. The model's own forward and
 * backward are on neither side.
 */
export const benchCase: BenchCase = {
  names: ['S5'],
  backends: ['wasm', 'node'],
  async run(backend) {
    const python = await PythonServer.start('S5');
    if (python === null) return [];
    try {
      const [threads, peak] = [threadsOf(backend), ceiling()];
      const rows: BenchRow[] = [];
      for (const { B, response, goal, nativeStretch } of SETTINGS) {
        const responseRows = Array.from(
          { length: B * response },
          (_, i) => Math.floor(i / response) * T + T - response + (i % response),
        ); // the last of each row
        const sizes: Sizes = {
          vocabSize: V,
          hiddenSize: D,
          layers: K,
          rows: B * T,
          responseRows,
          seed: 1,
          signal: LEARNT,
        };
        await python.request({ op: 'setup', ...sizes, threads });
        const problem = new Problem(sizes);
        const theirs = (): Promise<PythonStep> => python.request({ op: 's5', penaltyWeight: OPTIONS.penaltyWeight });
        for (const { name, options } of TERMS) {
          const error = agreement('L_CPO', problem.check(options).cpo, (await theirs()).loss);
          const times = await pairedWithPython(() => problem.step(options), theirs, { warmups: 1 });
          rows.push({
            ...row({
              ...{
                name: 'S5',
                what: "the released trainer's way / ours",
                backend,
                unit: 'ms',
                ceiling: peak,
                error,
                ...times,
              },
              setting: `${response} response tokens a row, B ${B}, T ${T}, k ${K}, D ${D}, V ${V.toLocaleString('en')}, ${name}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`,
              note: `The released way is written anew in eager PyTorch ${python.torchVersion} from a description of it, with the cheaper choice wherever that leaves one.`,
              goal: ['>=', goal],
              ...(backend === 'node' && nativeStretch !== undefined ? { stretch: ['>=', nativeStretch] as const } : {}),
            }),
            threads,
          });
        }
        problem.dispose();
      }
      return rows;
    } finally {
      await python.stop();
    }
  },
};
