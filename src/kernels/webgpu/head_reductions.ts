/** Invocations of the workgroups that reduce rows. */
export const ROW_LANES = 256;

/** Below every logit; WGSL has no infinity that one can rely on. */
export const LOWEST = -3e38;

/** WGSL functions of a workgroup of `ROW_LANES` that all of its invocations call together; each gives all of them the same. */
export const rowReductions = `
const LOWEST = ${LOWEST};
var<workgroup> lanes: array<f32, ${ROW_LANES}>;
fn sum_of(lane: u32, value: f32) -> f32 {
  lanes[lane] = value;
  workgroupBarrier();
  for (var span = ${ROW_LANES / 2}u; span > 0u; span /= 2u) {
    if (lane < span) { lanes[lane] += lanes[lane + span]; }
    workgroupBarrier();
  }
  return workgroupUniformLoad(&lanes[0]);
}
fn largest_of(lane: u32, value: f32) -> f32 {
  lanes[lane] = value;
  workgroupBarrier();
  for (var span = ${ROW_LANES / 2}u; span > 0u; span /= 2u) {
    if (lane < span) { lanes[lane] = max(lanes[lane], lanes[lane + span]); }
    workgroupBarrier();
  }
  return workgroupUniformLoad(&lanes[0]);
}
`;

/** How many invocations before this one say yes, and the number of all that do. */
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
