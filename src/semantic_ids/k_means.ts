import type { Random } from '../random';

const MAX_ITERATIONS = 25;
const SETTLED_SHARE = 1e-3; // k-means stops when at most this share of the points changes its cluster

/** What `kMeans` returns. */
export interface Clusters {
  /** [k, dim] row by row. */
  centroids: Float64Array;
  /** Cluster of each point, [numPoints]. */
  assignment: Int32Array;
}

/**
 * Lloyd's k-means from k-means++ seeds (Arthur and Vassilvitskii 2007), with a limit on the size of a cluster.
 *
 * A cluster over the limit keeps its nearest points; the others move to the nearest cluster with room. Without the
 * limit, residuals in many dimensions form one large cluster around their mean and many clusters of one or two points.
 * A cluster that loses all its points gets the point that is farthest from its centroid. Clusters stay empty only when
 * there are fewer than k different points.
 *
 * @param points [numPoints, dim] row by row.
 * @param k 1 to numPoints.
 * @param capacity most points of a cluster, numPoints / k or more. Default: no limit.
 */
export function kMeans(points: Float32Array, dim: number, k: number, random: Random, capacity = Infinity): Clusters {
  const numPoints = points.length / dim;
  const centroids = seedCentroids(points, dim, k, random);
  const assignment = new Int32Array(numPoints).fill(-1);
  const distances = new Float64Array(numPoints);
  for (let iteration = 0; iteration < MAX_ITERATIONS; iteration++) {
    const before = assignment.slice();
    assign(points, dim, centroids, assignment, distances);
    relieve(points, dim, centroids, assignment, distances, capacity);
    const reseeded = reseedEmpty(assignment, distances, k);
    moveCentroids(points, dim, centroids, assignment);
    const changed = assignment.reduce((count, cluster, i) => count + (cluster === before[i] ? 0 : 1), 0);
    if (changed + reseeded <= SETTLED_SHARE * numPoints) break;
  }
  return { centroids, assignment };
}

/**
 * k-means++: each seed after the first is drawn with probability proportional to its squared distance from the nearest
 * earlier seed.
 */
function seedCentroids(points: Float32Array, dim: number, k: number, random: Random): Float64Array {
  const numPoints = points.length / dim;
  const centroids = new Float64Array(k * dim);
  const nearest = new Float64Array(numPoints).fill(Infinity);
  let chosen = random.int(numPoints);
  for (let c = 0; c < k; c++) {
    for (let j = 0; j < dim; j++) centroids[c * dim + j] = points[chosen * dim + j];
    let total = 0;
    for (let i = 0; i < numPoints; i++) {
      nearest[i] = Math.min(nearest[i], squaredDistance(points, i * dim, centroids, c * dim, dim));
      total += nearest[i];
    }
    let left = random.next() * total;
    for (chosen = 0; chosen < numPoints - 1 && left >= nearest[chosen]; chosen++) left -= nearest[chosen];
  }
  return centroids;
}

/** Assigns each point to its nearest centroid, the first of equals, and writes the squared distances. */
function assign(
  points: Float32Array,
  dim: number,
  centroids: Float64Array,
  assignment: Int32Array,
  distances: Float64Array,
): void {
  const k = centroids.length / dim;
  const half = new Float64Array(k); // |c|² / 2; argmin |x - c|² = argmin |c|² / 2 - x·c
  for (let c = 0; c < k; c++) for (let j = 0; j < dim; j++) half[c] += centroids[c * dim + j] ** 2 / 2;
  for (let i = 0; i < assignment.length; i++) {
    const x = i * dim;
    let best = Infinity;
    let bestCluster = 0;
    let c = 0;
    for (; c + 4 <= k; c += 4) {
      // four centroids at a time, so that each coordinate of x is read once for all four
      const c0 = c * dim,
        c1 = c0 + dim,
        c2 = c1 + dim,
        c3 = c2 + dim;
      let d0 = 0,
        d1 = 0,
        d2 = 0,
        d3 = 0;
      for (let j = 0; j < dim; j++) {
        const value = points[x + j];
        d0 += value * centroids[c0 + j];
        d1 += value * centroids[c1 + j];
        d2 += value * centroids[c2 + j];
        d3 += value * centroids[c3 + j];
      }
      if (half[c] - d0 < best) {
        best = half[c] - d0;
        bestCluster = c;
      }
      if (half[c + 1] - d1 < best) {
        best = half[c + 1] - d1;
        bestCluster = c + 1;
      }
      if (half[c + 2] - d2 < best) {
        best = half[c + 2] - d2;
        bestCluster = c + 2;
      }
      if (half[c + 3] - d3 < best) {
        best = half[c + 3] - d3;
        bestCluster = c + 3;
      }
    }
    for (; c < k; c++) {
      let dot = 0;
      for (let j = 0; j < dim; j++) dot += points[x + j] * centroids[c * dim + j];
      if (half[c] - dot < best) {
        best = half[c] - dot;
        bestCluster = c;
      }
    }
    let norm = 0;
    for (let j = 0; j < dim; j++) norm += points[x + j] ** 2;
    distances[i] = Math.max(0, norm + 2 * best);
    assignment[i] = bestCluster;
  }
}

/**
 * Moves the farthest points of clusters over `capacity` to the nearest cluster with room. Of these points, the nearest
 * move first.
 */
function relieve(
  points: Float32Array,
  dim: number,
  centroids: Float64Array,
  assignment: Int32Array,
  distances: Float64Array,
  capacity: number,
): void {
  const k = centroids.length / dim;
  const room = new Float64Array(k).fill(capacity);
  const moving: number[] = [];
  const byDistance = Array.from(assignment.keys()).sort((a, b) => distances[a] - distances[b] || a - b);
  for (const i of byDistance) if (--room[assignment[i]] < 0) moving.push(i);
  for (const i of moving) {
    let best = Infinity;
    for (let c = 0; c < k; c++) {
      if (room[c] < 1) continue;
      const distance = squaredDistance(points, i * dim, centroids, c * dim, dim);
      if (distance < best) {
        best = distance;
        assignment[i] = c;
      }
    }
    distances[i] = best;
    room[assignment[i]]--;
  }
}

function squaredDistance(
  a: ArrayLike<number>,
  startA: number,
  b: ArrayLike<number>,
  startB: number,
  dim: number,
): number {
  let sum = 0;
  for (let j = 0; j < dim; j++) sum += (a[startA + j] - b[startB + j]) ** 2;
  return sum;
}

/**
 * Gives each empty cluster the farthest point of a cluster with two points or more.
 *
 * @returns how many clusters were filled.
 */
function reseedEmpty(assignment: Int32Array, distances: Float64Array, k: number): number {
  const sizes = new Int32Array(k);
  for (const cluster of assignment) sizes[cluster]++;
  if (!sizes.includes(0)) return 0;
  const farthest = Array.from(distances.keys()).sort((a, b) => distances[b] - distances[a] || a - b);
  let next = 0;
  let filled = 0;
  for (let cluster = 0; cluster < k; cluster++) {
    if (sizes[cluster] > 0) continue;
    while (next < farthest.length && sizes[assignment[farthest[next]]] < 2) next++;
    if (next === farthest.length || distances[farthest[next]] < 1e-12) break; // every point equals its centroid
    sizes[assignment[farthest[next]]]--;
    assignment[farthest[next++]] = cluster;
    sizes[cluster] = 1;
    filled++;
  }
  return filled;
}

/** Moves each centroid to the mean of its points. A centroid without points stays. */
function moveCentroids(points: Float32Array, dim: number, centroids: Float64Array, assignment: Int32Array): void {
  const sums = new Float64Array(centroids.length);
  const sizes = new Int32Array(centroids.length / dim);
  for (let i = 0; i < assignment.length; i++) {
    const to = assignment[i] * dim;
    sizes[assignment[i]]++;
    for (let j = 0; j < dim; j++) sums[to + j] += points[i * dim + j];
  }
  for (let c = 0; c < sizes.length; c++) {
    if (sizes[c] > 0) for (let j = 0; j < dim; j++) centroids[c * dim + j] = sums[c * dim + j] / sizes[c];
  }
}
