import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import { readLayersOnDevice } from '../../../../src/losses/streaming/device_read_layers';
import { lowerBindingLimit } from '../../../../src/kernels/webgpu/binding_limit';
import { logitsOfTokens, runHeadKernel, sumsOfTokens } from '../../../../src/vocabulary/device_head';
import type { DeviceCandidates, DeviceCandidateSearch } from '../../../../src/vocabulary/device_reading';
import type { VocabularyProjection } from '../../../../src/vocabulary/vocabulary_projection';
import { onWebGpu } from '../../../support/backends';
import { integers, normals } from '../../../support/random';
import { logSumExp, maxDifference, softmax, toRows } from '../../../support/reference';

const [P, D, V] = [3, 67, 709];
const WEIGHT = normals(V * D, 1, 0.3);
const BIAS = normals(V, 2);
const [FINAL, STUDENTS] = [normals(P * D, 3), normals(2 * P * D, 4)];
const LABELS = integers(P, V, 5);

/** Logits in float64, row by row. */
function logitsOf(hidden: Float32Array): number[][] {
  const rows = toRows(WEIGHT, D);
  return toRows(hidden, D).map((h) => rows.map((w, v) => w.reduce((sum, value, d) => sum + value * h[d], BIAS[v])));
}

function mean(rows: number[][][]): number[][] {
  return rows[0].map((row, p) => row.map((_, v) => rows.reduce((sum, layer) => sum + layer[p][v], 0) / rows.length));
}

const [Z, ZS] = [logitsOf(FINAL), logitsOf(STUDENTS)];
const ENSEMBLE = mean([ZS.slice(0, P), ZS.slice(P)]);

/** A head whose tiles have 64 tokens: what a binding is said to hold. */
async function withHead<T>(
  layout: VocabularyProjection['layout'],
  run: (head: VocabularyProjection) => T,
): Promise<Awaited<T>> {
  lowerBindingLimit(layout === 'rows' ? 4 * 64 * D : 4 * 64 * V);
  const head = tf.tidy(() => {
    const rows = tf.tensor2d(WEIGHT, [V, D]);
    return {
      weight: (layout === 'rows' ? rows : tf.keep(tf.tensor2d(toColumns(WEIGHT), [D, V]))) as tf.Tensor2D,
      layout,
      bias: tf.tensor1d(BIAS),
    };
  });
  try {
    return await run(head);
  } finally {
    lowerBindingLimit(Infinity);
    tf.dispose([head.weight, head.bias]);
  }
}

function toColumns(rows: Float32Array): Float32Array {
  return Float32Array.from({ length: V * D }, (_, i) => rows[(i % V) * D + Math.floor(i / V)]);
}

async function numbers(tensors: tf.Tensor[]): Promise<number[][]> {
  const values = await Promise.all(tensors.map(async (tensor) => [...(await tensor.data())]));
  tf.dispose(tensors);
  return values;
}

/** Candidates of each row as [token, z~, z^L], and the cutoff they are complete above. */
async function candidatesOf(
  search: Omit<DeviceCandidateSearch, 'labels' | 'rankingHidden'>,
): Promise<{ rows: number[][][]; complete: number[] }> {
  const { capacity } = search;
  const [tokens, ensemble, final, complete] = await withHead('rows', (head) =>
    numbers(
      tf.tidy(() => {
        const labels = tf.tensor2d(
          [...LABELS].flatMap((label, p) => [label, Z[p][label], ENSEMBLE[p][label]]),
          [P, 3],
        );
        const found = readLayersOnDevice(
          head,
          {
            finalHidden: tf.tensor2d(FINAL, [P, D]),
            studentHidden: tf.tensor2d(STUDENTS, [2 * P, D]),
            ensembleHidden: null,
          },
          { ...search, labels },
          'none',
        ).candidates;
        return [found?.tokens, found?.rankingLogits, found?.logits, found?.completeAbove] as tf.Tensor[];
      }),
    ),
  );
  const rows = [...LABELS].map((_, p) =>
    Array.from({ length: capacity }, (__, i) => p * capacity + i)
      .filter((at) => ensemble[at] > -1e38)
      .map((at) => [tokens[at], ensemble[at], final[at]]),
  );
  return { rows, complete };
}

describe('ILRecReadHead', () => {
  onWebGpu(() => {
    for (const layout of ['rows', 'columns'] as const) {
      it(`finds the normalisers and the expected rows of W over several tiles (head in ${layout})`, async () => {
        const [final, students, expected] = await withHead(layout, (head) =>
          numbers(
            tf.tidy(() => {
              const found = readLayersOnDevice(
                head,
                {
                  finalHidden: tf.tensor2d(FINAL, [P, D]),
                  studentHidden: tf.tensor2d(STUDENTS, [2 * P, D]),
                  ensembleHidden: null,
                },
                null,
                'all',
              );
              return [found.finalLogSumExp, found.studentLogSumExp as tf.Tensor, found.expectations as tf.Tensor];
            }),
          ),
        );
        expect(maxDifference([...final, ...students], [...Z, ...ZS].map(logSumExp))).to.be.below(1e-5);
        const rows = toRows(WEIGHT, D);
        const wanted = [...Z, ...ZS]
          .map(softmax)
          .flatMap((p) =>
            Array.from({ length: D }, (_, d) => p.reduce((sum, value, v) => sum + value * rows[v][d], 0)),
          );
        expect(maxDifference(expected, wanted)).to.be.below(1e-5);
      });

      it(`reads single tokens, and none for -1 (head in ${layout})`, async () => {
        const tokens = [5, -1, 708, 64, 300, 0]; // [3, 2]
        const factors = [0.5, 0, -1, 2, 1, 0];
        const [logits, sums] = await withHead(layout, (head) =>
          numbers(
            tf.tidy(() => {
              const list = tf.tensor2d(tokens, [P, 2], 'int32');
              return [
                logitsOfTokens(head, tf.tensor2d(FINAL, [P, D]), list),
                sumsOfTokens(head, list, tf.tensor2d(factors, [P, 2])),
              ];
            }),
          ),
        );
        expect(
          maxDifference(
            logits,
            tokens.map((token, i) => (token < 0 ? 0 : Z[Math.floor(i / 2)][token])),
          ),
        ).to.be.below(1e-5);
        const rows = toRows(WEIGHT, D);
        const wanted = Array.from({ length: P * D }, (_, i) =>
          [0, 1].reduce(
            (sum, c) =>
              sum + factors[2 * Math.floor(i / D) + c] * (rows[tokens[2 * Math.floor(i / D) + c]]?.[i % D] ?? 0),
            0,
          ),
        );
        expect(maxDifference(sums, wanted)).to.be.below(1e-5);
      });
    }

    it('keeps every token above the cutoff but the label, in their order, with both logits', async () => {
      for (const capacity of [100, 300, 709]) {
        // the cutoff is z~(y) from the first tile on
        const { rows, complete } = await candidatesOf({ capacity, logScale: 0, usesRanking: true });
        rows.forEach((row, p) => {
          const wanted = ENSEMBLE[p].flatMap((z, v) => (z > ENSEMBLE[p][LABELS[p]] && v !== LABELS[p] ? [v] : []));
          if (wanted.length > capacity) return expect(complete[p]).to.be.above(1e38);
          expect(complete[p]).to.be.closeTo(ENSEMBLE[p][LABELS[p]], 1e-5);
          expect(row.map(([token]) => token)).to.deep.equal(wanted);
          for (const [token, z, zFinal] of row)
            expect(Math.max(Math.abs(z - ENSEMBLE[p][token]), Math.abs(zFinal - Z[p][token]))).to.be.below(1e-5);
        });
      }
    });

    it('drops what a cutoff that has risen leaves out, when a row is full, and gives up a row that still does not fit', async () => {
      // z^L = 0; z~ is 0 in the first tile, then 10 once and 6 for the rest: the cutoff is first -0.5, then -log 128 +
      // log(64 + e^10 + 63 e^6) - 0.5 = 5.42
      const numbers = Float32Array.from({ length: 256 }, (_, i) => (i % 2 === 0 || i < 128 ? 0 : i === 129 ? 10 : 6));
      lowerBindingLimit(4 * 64 * 2);
      try {
        for (const capacity of [70, 63, 60]) {
          const weight = tf.tensor2d(numbers, [128, 2]);
          const candidates = tf.tidy(() => {
            const [final, ensemble] = [tf.tensor2d([[1, 0]]), tf.tensor2d([[0, 1]])];
            return readLayersOnDevice(
              { weight, layout: 'rows', bias: null },
              { finalHidden: final, studentHidden: null, ensembleHidden: ensemble },
              { labels: tf.tensor2d([[0, 0, 0]]), capacity, logScale: -0.5, usesRanking: false },
              'none',
            ).candidates as unknown as tf.TensorContainerObject;
          });
          const { tokens: found, rankingLogits, completeAbove } = candidates as unknown as DeviceCandidates;
          const [tokens, z, complete] = await Promise.all(
            [found, rankingLogits, completeAbove].map(async (each) => [...(await each.data())]),
          );
          tf.dispose([weight, candidates]);
          if (capacity === 70) {
            expect(tokens.filter((_, i) => z[i] > -1e38)).to.deep.equal(Array.from({ length: 64 }, (_, i) => 64 + i));
            expect(complete[0]).to.be.closeTo(
              Math.log(64 + Math.exp(10) + 63 * Math.exp(6)) - Math.log(128) - 0.5,
              1e-4,
            );
          } else {
            expect(complete[0]).to.be.above(1e38); // 64 tokens in the second tile, or 63 in the first, are too many
          }
        }
      } finally {
        lowerBindingLimit(Infinity);
      }
    });
  });
});

describe('ILRecReadAgain', () => {
  onWebGpu(() => {
    it('reads the marked rows and no others', async () => {
      const [found, sums] = await withHead('rows', (head) =>
        numbers(
          tf.tidy(() => {
            const hidden = tf.tensor2d([...FINAL, ...STUDENTS.subarray(0, P * D)], [2 * P, D]);
            const known = tf.tensor2d(
              [...LABELS].flatMap((label, p) => [logSumExp(Z[p]), logSumExp(ZS[p]), 0, label]),
              [P, 4],
            );
            return runHeadKernel(
              'ILRecReadAgain',
              head,
              { hidden, known, marks: tf.tensor2d([1, 0, 1], [P, 1]) },
              { width: V, penaltyWeight: 2, kind: 2, withSums: 1 },
            );
          }),
        ),
      );
      const rows = toRows(WEIGHT, D);
      for (let p = 0; p < P; p++) {
        if (p === 1) {
          expect([...found.slice(4, 8), ...sums.slice(D, 2 * D)].every((value) => value === 0)).to.equal(true);
          continue;
        }
        const members = ZS[p].map((z, v) => z >= 0 && v !== LABELS[p]);
        const [q, r] = [softmax(Z[p]), softmax(ZS[p])];
        const total = (values: number[]): number => values.reduce((sum, value, v) => sum + (members[v] ? value : 0), 0);
        const raised = Z[p].map((z, v) => (members[v] ? z + (2 * r[v]) / total(r) : z));
        expect(
          maxDifference(found.slice(4 * p, 4 * p + 4), [
            total(q.map(() => 1)),
            total(q),
            total(r),
            logSumExp(raised) - logSumExp(Z[p]),
          ]),
        ).to.be.below(1e-4);
        const pPenalised = softmax(raised);
        expect(
          maxDifference(
            sums.slice(p * D, (p + 1) * D),
            Array.from({ length: D }, (_, d) => pPenalised.reduce((sum, value, v) => sum + value * rows[v][d], 0)),
          ),
        ).to.be.below(1e-5);
      }
    });
  });
});
