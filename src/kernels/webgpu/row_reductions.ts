/** Below every logit. WGSL does not guarantee infinities. */
export const LOWEST = -3e38;

/** How many invocations share a row of n numbers. */
export function lanesFor(n: number): number {
  return n > 512 ? 256 : 64;
}

/** What a program that reduces rows declares and enables. */
export interface RowReductions {
  readonly declarations: string;
  readonly enable: readonly string[];
}

/**
 * WGSL `sum_of(lane, value)` and `largest_of(lane, value)` over the invocations of a workgroup. All of them must call
 * it, and all get the same result. The order of additions never changes.
 *
 * @param subgroups whether each subgroup reduces its own values first, without a barrier; see `hasSubgroups`.
 */
export function rowReductions(lanes: number, subgroups: boolean): RowReductions {
  const reduction = subgroups ? bySubgroups : byHalves;
  const sum = reduction(lanes, 'sum_of', 'subgroupAdd', (a, b) => `${a} + ${b}`);
  const largest = reduction(lanes, 'largest_of', 'subgroupMax', (a, b) => `max(${a}, ${b})`);
  const declarations = `const LOWEST = ${LOWEST};\nvar<workgroup> partial: array<f32, ${lanes}>;\n${sum}\n${largest}`;
  return { declarations, enable: subgroups ? ['subgroups'] : [] };
}

type Both = (a: string, b: string) => string;

function byHalves(lanes: number, name: string, _: string, both: Both): string {
  return `
    fn ${name}(lane: u32, value: f32) -> f32 {
      partial[lane] = value;
      workgroupBarrier();
      for (var reach = ${lanes / 2}u; reach > 0u; reach /= 2u) {
        if (lane < reach) { partial[lane] = ${both('partial[lane]', 'partial[lane + reach]')}; }
        workgroupBarrier();
      }
      return workgroupUniformLoad(&partial[0]);
    }`;
}

/** One invocation combines the results of the subgroups, which are few. */
function bySubgroups(_: number, name: string, builtin: string, both: Both): string {
  return `
    fn ${name}(lane: u32, value: f32) -> f32 {
      let own = ${builtin}(value);
      if (subgroup_lane == 0u) { partial[subgroup_number] = own; }
      workgroupBarrier();
      if (lane == 0u) {
        var result = partial[0];
        for (var i = 1u; i < subgroup_count; i++) { result = ${both('result', 'partial[i]')}; }
        partial[0] = result;
      }
      return workgroupUniformLoad(&partial[0]);
    }`;
}
