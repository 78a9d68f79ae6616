/** Invocations of the workgroups that reduce rows. */
export const ROW_LANES = 256;

/** WGSL: `rank_of` is the number of earlier invocations that say yes, `number_ranked` the number of all that do. */
export const rowRanks = `
var<workgroup> ranks: array<u32, ${ROW_LANES}>;
fn rank_of(lane: u32, says: bool) -> u32 {
  let own = select(0u, 1u, says);
  ranks[lane] = own;
  workgroupBarrier();
  for (var step = 1u; step < ${ROW_LANES}u; step *= 2u) {
    var before = 0u;
    if (lane >= step) { before = ranks[lane - step]; }
    workgroupBarrier();
    ranks[lane] += before;
    workgroupBarrier();
  }
  return ranks[lane] - own;
}
fn number_ranked() -> u32 { return workgroupUniformLoad(&ranks[${ROW_LANES - 1}]); }
`;
