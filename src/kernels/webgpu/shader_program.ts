import type { Device, Pipeline } from './webgpu_backend';

/**
 * A WGSL program. Which pipeline runs is decided by its code alone, so two programs may share a name. Make a program
 * once, at module level or by a `memoize`d function: the object itself is then the key that finds its pipeline, and no
 * code has to be put together and compared at every run.
 */
export interface ShaderProgram {
  /** For labels and errors only. */
  readonly name: string;
  /**
   * WGSL extensions that it needs; the device must have them. With `subgroups` the program can read `subgroup_lane`,
   * `subgroup_number` and `subgroup_count`, counted within its workgroup.
   */
  readonly enable?: readonly string[];
  /** Invocations of a workgroup. */
  readonly workgroupSize: number;
  /** Functions and workgroup variables. */
  readonly declarations?: string;
  /**
   * The statements of `main`. They can read `lane`, the number of the invocation in its workgroup, `group_id` (vec3u),
   * and `group`, the number of the workgroup where the run gives their count as one number. More workgroups than that
   * count may run, so such a body must do nothing for `group >= count`.
   */
  readonly body: string;
}

interface Pipelines {
  /** By the program, then by the bindings that it ran with. */
  readonly byProgram: WeakMap<ShaderProgram, Map<string, Pipeline>>;
  /** By the whole code. Workgroup size, constants, bindings and extensions are all part of it. */
  readonly byCode: Map<string, Pipeline>;
}

/** What has been compiled, by device. */
const pipelinesOf = new WeakMap<Device, Pipelines>();

/**
 * The compiled program. The same code is compiled once per device.
 *
 * @param bindings the WGSL that declares what the program reads and writes.
 */
export function pipelineOf(device: Device, program: ShaderProgram, bindings: string): Pipeline {
  let pipelines = pipelinesOf.get(device);
  if (pipelines === undefined)
    pipelinesOf.set(device, (pipelines = { byProgram: new WeakMap(), byCode: new Map<string, Pipeline>() }));
  let byBindings = pipelines.byProgram.get(program);
  if (byBindings === undefined) pipelines.byProgram.set(program, (byBindings = new Map<string, Pipeline>()));
  let pipeline = byBindings.get(bindings);
  if (pipeline === undefined) {
    const code = codeOf(program, bindings);
    pipeline = pipelines.byCode.get(code) ?? compile(device, program.name, code);
    pipelines.byCode.set(code, pipeline);
    byBindings.set(bindings, pipeline);
  }
  return pipeline;
}

function compile(device: Device, label: string, code: string): Pipeline {
  const module = device.createShaderModule({ code, label });
  return device.createComputePipeline({ compute: { module, entryPoint: 'main' }, label, layout: 'auto' });
}

function codeOf({ enable = [], workgroupSize, declarations = '', body }: ShaderProgram, bindings: string): string {
  const usesSubgroups = enable.includes('subgroups');
  return [
    ...enable.map((extension) => `enable ${extension};`),
    bindings,
    ...(usesSubgroups
      ? ['var<private> subgroup_lane: u32; var<private> subgroup_number: u32; var<private> subgroup_count: u32;']
      : []),
    declarations,
    `@compute @workgroup_size(${workgroupSize})`,
    'fn main(@builtin(workgroup_id) group_id: vec3u, @builtin(num_workgroups) group_count: vec3u, ' +
      '@builtin(local_invocation_index) lane: u32',
    ...(usesSubgroups
      ? [
          ', @builtin(subgroup_invocation_id) lane_in_subgroup: u32, @builtin(subgroup_id) own_subgroup: u32, ' +
            '@builtin(num_subgroups) subgroups_here: u32',
        ]
      : []),
    ') {',
    ...(usesSubgroups
      ? ['subgroup_lane = lane_in_subgroup; subgroup_number = own_subgroup; subgroup_count = subgroups_here;']
      : []),
    'let group = (group_id.z * group_count.y + group_id.y) * group_count.x + group_id.x;',
    body,
    '}',
  ].join('\n');
}

class Branch<R> {
  readonly next = new Map<unknown, Branch<R>>();
  result?: R;
}

/**
 * A function that calls `make` once for each list of arguments and keeps the result. Arguments are compared as keys of
 * a Map: objects by identity.
 *
 * @param make a pure function: its result must depend on its arguments alone.
 */
export function memoize<Args extends readonly unknown[], R extends object>(
  make: (...args: Args) => R,
): (...args: Args) => R {
  const root = new Branch<R>();
  return (...args) => {
    let branch = root;
    for (const arg of args) {
      let next = branch.next.get(arg);
      if (next === undefined) branch.next.set(arg, (next = new Branch<R>()));
      branch = next;
    }
    return (branch.result ??= make(...args));
  };
}
