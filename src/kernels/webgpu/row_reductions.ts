/** Invocations that share a row of n numbers. */
export function lanesFor(n: number): number {
  return n > 512 ? 256 : 64;
}

/**
 * WGSL `rowSum(lane, value)` and `rowMax(lane, value)`: of the values of a workgroup's invocations, in the same order each time; all of them must call it.
 */
export function rowReductions(lanes: number): string {
  const reduction = (name: string, both: string): string => `
    fn ${name}(lane: u32, value: f32) -> f32 {
      partial[lane] = value;
      workgroupBarrier();
      for (var reach = ${lanes / 2}u; reach > 0u; reach /= 2u) {
        if (lane < reach) { partial[lane] = ${both}; }
        workgroupBarrier();
      }
      let result = partial[0];
      workgroupBarrier(); // before the next call writes
      return result;
    }`;
  const [own, other] = ['partial[lane]', 'partial[lane + reach]'];
  return [`var<workgroup> partial: array<f32, ${lanes}>;`, reduction('rowSum', `${own} + ${other}`), reduction('rowMax', `max(${own}, ${other})`)].join('\n');
}
