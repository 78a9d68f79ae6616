import { runShader, type ShaderRun } from './shader';
import type { ShaderProgram } from './shader_program';
import type { WebGpuBackend } from './webgpu_backend';

/** The WGSL of a product C = A B: where its operands are read and its entries are put. */
export interface ProductCode {
  readonly name: string;
  /**
   * `fn a_at(m: u32, k: u32) -> f32`, `fn b_at(k: u32, n: u32) -> f32` and `fn put(m: u32, n: u32, part: u32, value:
   * f32)`.
   */
  readonly functions: string;
  /** The number of rows as WGSL, where only the device knows it; rows beyond it are not computed. Default all. */
  readonly numRows?: string;
  /** Whether neighbours in memory are neighbours along k: how the operands are read. */
  readonly alongDepth: { readonly a: boolean; readonly b: boolean };
}

/** The sizes of a product, and what it reads and writes. */
export interface ProductRun extends Pick<ShaderRun, 'reads' | 'writes' | 'integers'> {
  readonly rows: number;
  readonly columns: number;
  /** Numbers that each entry sums over. */
  readonly depth: number;
  /**
   * The depth is cut into so many parts. Each has its own sums, and `put` is told which `part` they are of. Default 1.
   */
  readonly parts?: number;
}

/**
 * Entries of C that a workgroup makes on each side, 4 x 4 of them in each invocation's registers, and how much of the
 * depth it holds at once.
 */
const [TILE, STEP] = [64, 16];
/** Distance between rows in workgroup memory: not a multiple of the number of memory banks. */
const STRIDE = TILE + 4;

const tiles = `
var<workgroup> a_tile: array<f32, ${STEP * STRIDE}>;
var<workgroup> b_tile: array<f32, ${STEP * STRIDE}>;
`;

export function tiledProduct({ name, functions, numRows = 'u.num_rows', alongDepth }: ProductCode): ShaderProgram {
  const place = (along: boolean): string =>
    along ? `let x = i / ${STEP}u; let k = i % ${STEP}u;` : `let x = i % ${TILE}u; let k = i / ${TILE}u;`;
  const body = `
    let num_rows = ${numRows};
    let m0 = group_id.y * ${TILE}u;
    let n0 = group_id.x * ${TILE}u;
    if (m0 >= num_rows) { return; }
    let begin = group_id.z * u.part_depth;
    let end = min(begin + u.part_depth, u.depth);
    let m1 = 4u * (lane / 16u);
    let n1 = 4u * (lane % 16u);
    var c0 = vec4f(0.0); var c1 = vec4f(0.0); var c2 = vec4f(0.0); var c3 = vec4f(0.0);
    for (var k0 = begin; k0 < end; k0 += ${STEP}u) {
      for (var i = lane; i < ${TILE * STEP}u; i += 256u) { ${place(alongDepth.a)}
        var value = 0.0;
        if (m0 + x < num_rows && k0 + k < end) { value = a_at(m0 + x, k0 + k); }
        a_tile[k * ${STRIDE}u + x] = value;
      }
      for (var i = lane; i < ${TILE * STEP}u; i += 256u) { ${place(alongDepth.b)}
        var value = 0.0;
        if (n0 + x < u.num_columns && k0 + k < end) { value = b_at(k0 + k, n0 + x); }
        b_tile[k * ${STRIDE}u + x] = value;
      }
      workgroupBarrier();
      let steps = min(${STEP}u, end - k0); // not a constant: drivers on CPUs take long to compile what they unroll
      for (var k = 0u; k < steps; k++) {
        let a = k * ${STRIDE}u + m1;
        let b = k * ${STRIDE}u + n1;
        let columns = vec4f(b_tile[b], b_tile[b + 1u], b_tile[b + 2u], b_tile[b + 3u]);
        c0 = fma(vec4f(a_tile[a]), columns, c0);
        c1 = fma(vec4f(a_tile[a + 1u]), columns, c1);
        c2 = fma(vec4f(a_tile[a + 2u]), columns, c2);
        c3 = fma(vec4f(a_tile[a + 3u]), columns, c3);
      }
      workgroupBarrier();
    }
    let c = array<vec4f, 4>(c0, c1, c2, c3);
    let m_end = min(num_rows, m0 + m1 + 4u);
    let n_end = min(u.num_columns, n0 + n1 + 4u);
    for (var m = m0 + m1; m < m_end; m++) {
      for (var n = n0 + n1; n < n_end; n++) { put(m, n, group_id.z, c[m % 4u][n % 4u]); }
    }`;
  return { name, workgroupSize: 256, declarations: tiles + functions, body };
}

/** @param program a `tiledProduct`. */
export function runTiledProduct(
  backend: WebGpuBackend,
  program: ShaderProgram,
  { rows, columns, depth, parts = 1, integers, reads, writes }: ProductRun,
): void {
  runShader(backend, program, {
    reads,
    writes,
    integers: { ...integers, num_rows: rows, num_columns: columns, depth, part_depth: Math.ceil(depth / parts) },
    workgroups: [Math.ceil(columns / TILE), Math.ceil(rows / TILE), parts],
  });
}

/**
 * In how many parts a product's depth should be summed so that it has enough workgroups to keep a large device busy.
 */
export function partsOfDepth(rows: number, columns: number, depth: number): number {
  const groups = Math.ceil(rows / TILE) * Math.ceil(columns / TILE);
  return Math.max(1, Math.min(8, Math.floor(128 / groups), Math.floor(depth / (4 * STEP))));
}
