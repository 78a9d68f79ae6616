import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { onWebGpu } from '../../support/backends';
import { floats, ints } from '../against_cpu';
import { expectSameOnBoth } from './on_both';
import { stockPrograms } from './stock_programs';
import { withLimits } from './with_limits';

describe('GatherV2', () => {
  onWebGpu(() => {
    const small = { maxStorageBufferBindingSize: 64 * 1024 };

    it('reads the rows of a table that is larger than a shader can bind', async () => {
      await withLimits(small, async () => {
        for (const rest of [[37], [64], [3, 5, 7]])
          await expectSameOnBoth(() => [tf.gather(floats([1511, ...rest], 1), ints([2, 53], 1511, 2))]);
        await expectSameOnBoth(() => [
          tf.gather(ints([1511, 37], 1000, 1), ints([53], 1511, 2)),
          tf.gather(floats([1511, 37], 1), tf.scalar(1510, 'int32')),
          tf.gather(floats([1511, 37], 1), tf.tensor1d([], 'int32')),
        ]);
      });
    });

    it('and its gradient go through a table of that size', async () => {
      await withLimits(small, () =>
        expectSameOnBoth(
          () => [tf.grad((x) => tf.gather(x, ints([53], 1511, 2)))(floats([1511, 37], 1), floats([53, 37], 3))],
          1e-6,
        ),
      );
    });

    it("leaves tables that fit to tfjs's kernel, and no others", async () => {
      await expectSameOnBoth(() => [
        tf.gather(floats([7, 5], 1), ints([11], 7, 2)),
        tf.gather(floats([7, 5, 3], 1), ints([11], 5, 2), 1),
      ]);
      const gathers = async (rows: number): Promise<number> => {
        const [table, picks] = [floats([rows, 37], 1), ints([11], rows, 2)];
        const programs = await stockPrograms(() => tf.gather(table, picks).dispose());
        tf.dispose([table, picks]);
        return programs.filter(({ key }) => key.startsWith('gather')).length;
      };
      await withLimits(small, async () => {
        expect(await gathers(442)).to.equal(1); // 65,416 bytes
        expect(await gathers(443)).to.equal(0); // 65,564 bytes
      });
    });
  });
});
