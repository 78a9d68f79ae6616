import { type BenchCase, type BenchRow, ceiling, type Comparison, paired, row } from '../harness';
import { lossOfRows, type RowLossSizes } from '../models';

const [D, V] = [256, 32_000];
const BASE: RowLossSizes = {
  vocabSize: V,
  hiddenSize: D,
  numNegativeLayers: 4,
  batchSize: 2,
  sequenceLength: 128,
  response: 20,
};

interface Growth {
  readonly what: string;
  readonly setting: string;
  readonly small: Partial<RowLossSizes>;
  readonly large: Partial<RowLossSizes>;
  readonly goal: readonly [Comparison, number];
}

const GROWTHS: readonly Growth[] = [
  {
    what: 'loss at T 1024 / at T 128',
    setting: 'V 128k, k 4, 20 response tokens a row',
    small: { vocabSize: 128_000 },
    large: { vocabSize: 128_000, sequenceLength: 1024 },
    goal: ['<=', 1.05],
  },
  {
    what: 'loss at V 128k / at V 32k',
    setting: 'T 128, k 4, 20 response tokens a row',
    small: {},
    large: { vocabSize: 128_000 },
    goal: ['<=', 4.2],
  },
  {
    what: 'loss of 80 response tokens a row / of 20',
    setting: 'V 32k, T 128, k 4',
    small: {},
    large: { response: 80 },
    goal: ['<=', 4.2],
  },
  {
    what: 'loss at k 8 / at k 1',
    setting: 'V 32k, T 128, 20 response tokens a row',
    small: { numNegativeLayers: 1 },
    large: { numNegativeLayers: 8 },
    goal: ['<=', 9 / 2],
  },
];

export const benchCase: BenchCase = {
  names: ['S11'],
  backends: ['wasm', 'node'],
  async run(backend) {
    const rows: BenchRow[] = [];
    for (const { what, setting, small, large, goal } of GROWTHS) {
      const [ours, other] = [lossOfRows({ ...BASE, ...large }), lossOfRows({ ...BASE, ...small })];
      const times = await paired(ours.run, other.run);
      ours.dispose();
      other.dispose();
      rows.push(
        row({
          name: 'S11',
          what,
          setting: `${setting}, B ${BASE.batchSize}, D ${D}`,
          backend,
          ...times,
          unit: 'ms',
          goal,
          ceiling: ceiling(),
          note: 'loss and gradients on all hidden states, frozen head, with a body of k + 1 biases',
        }),
      );
    }
    return rows;
  },
};
