import { applyRotary } from '../../../src/ops/rotary';
import { onWebGpu } from '../../support/backends';
import { floats } from '../against_cpu';
import { expectSameOnBoth, withGradients } from './on_both';

describe('applyRotary', () => {
  onWebGpu(() => {
    it('and its gradient equal the composed ones for every way tables are shared', async () => {
      for (const half of [1, 3, 37]) {
        const F = 2 * half;
        const pairs: [number[], number[]][] = [
          [
            [3, F],
            [3, F],
          ],
          [
            [2, 5, 3, F],
            [3, F],
          ],
          [
            [2, 5, 3, F],
            [1, 1, 3, F],
          ],
          [
            [2, 5, 3, F],
            [2, 1, 3, F],
          ],
          [
            [2, 5, 3, F],
            [2, 5, 3, F],
          ],
        ];
        pairs.push(
          [
            [5, 3, F],
            [1, F],
          ],
          [
            [2, 5, 3, F],
            [5, 3, F],
          ],
          [[F], [F]],
        );
        for (const [shape, tables] of pairs)
          await expectSameOnBoth(
            () => withGradients((x) => applyRotary(x, floats(tables, 2), floats(tables, 3)), [floats(shape, 1)]),
            1e-6,
          );
      }
    });

    it('takes empty tensors', async () => {
      for (const [shape, tables] of [
        [
          [2, 0, 6],
          [0, 6],
        ],
        [
          [0, 3, 6],
          [3, 6],
        ],
        [
          [0, 3, 6],
          [0, 3, 6],
        ],
        [
          [3, 0],
          [3, 0],
        ],
      ]) {
        await expectSameOnBoth(() => [applyRotary(floats(shape, 1), floats(tables, 2), floats(tables, 3))]);
      }
    });
  });
});
