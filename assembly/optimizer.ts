// One step of Adam with decoupled weight decay, in one pass over a weight, its moments and its gradient.

/**
 * m = b1 m + c1 g, v = b2 v + c2 g^2, both in place; out = w keep - stepSize m / (sqrt(v secondScale) + epsilon).
 */
export function adamw(
  n: i32,
  w: usize,
  m: usize,
  v: usize,
  gradient: usize,
  out: usize,
  b1: f32,
  c1: f32,
  b2: f32,
  c2: f32,
  stepSize: f32,
  secondScale: f32,
  epsilon: f32,
  keep: f32,
): void {
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    const g = v128.load(gradient);
    const first = f32x4.add(f32x4.mul(v128.load(m), f32x4.splat(b1)), f32x4.mul(g, f32x4.splat(c1)));
    const second = f32x4.add(f32x4.mul(v128.load(v), f32x4.splat(b2)), f32x4.mul(f32x4.mul(g, g), f32x4.splat(c2)));
    const denominator = f32x4.add(f32x4.sqrt(f32x4.mul(second, f32x4.splat(secondScale))), f32x4.splat(epsilon));
    const change = f32x4.div(f32x4.mul(first, f32x4.splat(stepSize)), denominator);
    v128.store(m, first);
    v128.store(v, second);
    v128.store(out, f32x4.sub(f32x4.mul(v128.load(w), f32x4.splat(keep)), change));
    w += 16;
    m += 16;
    v += 16;
    gradient += 16;
    out += 16;
  }
  for (; i < n; i++) {
    const g = load<f32>(gradient);
    const first = load<f32>(m) * b1 + g * c1;
    const second = load<f32>(v) * b2 + g * g * c2;
    store<f32>(m, first);
    store<f32>(v, second);
    store<f32>(out, load<f32>(w) * keep - (first * stepSize) / (Mathf.sqrt(second * secondScale) + epsilon));
    w += 4;
    m += 4;
    v += 4;
    gradient += 4;
    out += 4;
  }
}
