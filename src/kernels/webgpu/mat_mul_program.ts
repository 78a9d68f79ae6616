import { memoize, type ShaderProgram } from './shader_program';

/**
 * How a product is divided: a workgroup makes [rows, columns] of it, an invocation [ownRows, ownColumns] of those. All
 * are multiples of 4.
 */
export interface Tiling {
  readonly rows: number;
  readonly columns: number;
  readonly ownRows: number;
  readonly ownColumns: number;
  /** How many inner numbers are in workgroup memory at once. */
  readonly step: number;
}

/** How an operand lies in memory. */
export interface Layout {
  readonly transposed: boolean;
  /** Whether its lines are a multiple of 4 long, and are read as vec4f. */
  readonly fours: boolean;
}

function lanesOf({ rows, columns, ownRows, ownColumns }: Tiling): number {
  return (rows / ownRows) * (columns / ownColumns);
}

const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const XYZW = ['x', 'y', 'z', 'w'];

/** WGSL that reads the numbers [across, across + 4) of a line: zeros past its end and past the last line. */
function readFunction(name: string, array: string, fours: boolean): string {
  const numbers = upTo(4)
    .map((i) => `${array}[at + ${i}]`)
    .join(', ');
  const read = fours
    ? `return ${array}[at / 4];`
    : `return select(vec4f(), vec4f(${numbers}), vec4u(across) + vec4u(0, 1, 2, 3) < vec4u(width));`;
  return `
    fn ${name}(start: u32, line: u32, lines: u32, across: u32, width: u32) -> vec4f {
      if (line >= lines || across >= width) { return vec4f(); }
      let at = start + line * width + across;
      ${read}
    }`;
}

/**
 * WGSL that copies a tile of an operand to workgroup memory as [step, size], in blocks of 4 x 4. Blocks are transposed
 * if the inner axis is the contiguous one.
 */
function fill(
  tile: string,
  read: string,
  start: string,
  first: string,
  outer: string,
  size: number,
  step: number,
  lanes: number,
  innerIsContiguous: boolean,
): string {
  const [across, down] = [size / 4, step / 4];
  const at = (i: number): string => `${tile}[(inner + ${i}) * ${across} + line / 4]`;
  const turned = [
    ...upTo(4).map((i) => `let v${i} = ${read}(${start}, ${first} + line + ${i}, ${outer}, first + inner, u.inner);`),
    ...upTo(4).map(
      (i) =>
        `${at(i)} = vec4f(${upTo(4)
          .map((j) => `v${j}.${XYZW[i]}`)
          .join(', ')});`,
    ),
  ];
  const straight = upTo(4).map(
    (i) => `${at(i)} = ${read}(${start}, first + inner + ${i}, u.inner, ${first} + line, ${outer});`,
  );
  const [inner, line] = innerIsContiguous
    ? [`block % ${down}`, `block / ${down}`]
    : [`block / ${across}`, `block % ${across}`];
  return `
    for (var block = lane; block < ${across * down}; block += ${lanes}) {
      let inner = ${inner} * 4;
      let line = ${line} * 4;
      ${(innerIsContiguous ? turned : straight).join('\n')}
    }`;
}

/** A program that makes the products of a batch, or of parts of their inner axis one after the other. */
export const matMulProgram = memoize(makeProgram);

function makeProgram(
  tiling: Tiling,
  aTransposed: boolean,
  aFours: boolean,
  bTransposed: boolean,
  bFours: boolean,
  outFours: boolean,
): ShaderProgram {
  const { rows, columns, ownRows, ownColumns, step } = tiling;
  const lanes = lanesOf(tiling);
  const [lanesDown, lanesAcross] = [rows / ownRows, columns / ownColumns];
  const [fourRows, fourColumns] = [upTo(ownRows / 4), upTo(ownColumns / 4)];
  const sums = upTo(ownRows).flatMap((row) =>
    fourColumns.map((column) => ({ row, column, name: `sum${row}_${column}` })),
  );
  const store = sums.map(
    ({ row, column, name }) =>
      `put(to, m + ${Math.floor(row / 4) * 4 * lanesDown + (row % 4)}, n + ${column * 4 * lanesAcross}, ${name});`,
  );
  const declarations = `
    var<workgroup> tileA: array<vec4f, ${(rows * step) / 4}>;
    var<workgroup> tileB: array<vec4f, ${(columns * step) / 4}>;
    ${readFunction('readA', 'a', aFours)}
    ${readFunction('readB', 'b', bFours)}
    fn put(start: u32, m: u32, n: u32, sum: vec4f) {
      if (m >= u.m || n >= u.n) { return; }
      let at = start + m * u.n + n;
      ${
        outFours
          ? 'product[at / 4] = sum;'
          : upTo(4)
              .map((i) => `if (n + ${i} < u.n) { product[at + ${i}] = sum.${XYZW[i]}; }`)
              .join('\n')
      }
    }`;
  const body = `
    if (group >= u.groups) { return; }
    let n0 = group % u.tilesN * ${columns};
    let m0 = group / u.tilesN % u.tilesM * ${rows};
    let part = group / (u.tilesN * u.tilesM) % u.parts;
    let batch = group / (u.tilesN * u.tilesM * u.parts);
    let i2 = batch % u.size2;
    let i1 = batch / u.size2 % u.size1;
    let i0 = batch / u.size2 / u.size1;
    let startA = (i0 * u.a0 + i1 * u.a1 + i2 * u.a2) * u.m * u.inner;
    let startB = (i0 * u.b0 + i1 * u.b1 + i2 * u.b2) * u.n * u.inner;
    let row = lane / ${lanesAcross};
    let column = lane % ${lanesAcross};
    ${sums.map(({ name }) => `var ${name} = vec4f();`).join('\n')}
    for (var first = part * u.perPart; first < min(u.inner, (part + 1) * u.perPart); first += ${step}) {
      ${fill('tileA', 'readA', 'startA', 'm0', 'u.m', rows, step, lanes, !aTransposed)}
      ${fill('tileB', 'readB', 'startB', 'n0', 'u.n', columns, step, lanes, bTransposed)}
      workgroupBarrier();
      for (var k = 0u; k < ${step}; k++) {
        ${fourRows.map((i) => `let a${i} = tileA[k * ${rows / 4} + row + ${i * lanesDown}];`).join('\n')}
        ${fourColumns.map((i) => `let b${i} = tileB[k * ${columns / 4} + column + ${i * lanesAcross}];`).join('\n')}
        ${sums.map(({ row, column, name }) => `${name} += a${Math.floor(row / 4)}.${XYZW[row % 4]} * b${column};`).join('\n')}
      }
      workgroupBarrier();
    }
    let to = (part * u.batches + batch) * u.m * u.n;
    let m = m0 + row * 4;
    let n = n0 + column * 4;
    ${store.join('\n')}`;
  return { name: 'matMul', workgroupSize: lanes, declarations, body };
}
