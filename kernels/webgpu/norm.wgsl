// A workgroup of 64 that works on one row of x: sums over it, and its LayerNorm.
//
// Every thread writes and reads its own vec4s of the row, number li, li + 64 and so on, so that between the passes over a
// row nothing has to be made visible to others.
var<workgroup> partial: array<f32, 64>;

// The sum of all threads' values, in a fixed order.
fn total(value: f32, li: u32) -> f32 {
  partial[li] = value;
  workgroupBarrier();
  for (var half = 32u; half > 0u; half = half >> 1u) {
    if (li < half) { partial[li] += partial[li + half]; }
    workgroupBarrier();
  }
  let sum = partial[0];
  workgroupBarrier();
  return sum;
}

// The row of x from `at` on, whose columns add up to `sum` over all threads: (x - mean) / sqrt(variance + epsilon) gamma + beta.
// The variance is the mean of squared deviations, in a pass of its own: the one-pass form loses all digits when the mean is large.
fn normalize(at: u32, sum: f32, li: u32) {
  let mean = total(sum, li) / f32(run.columns);
  var squares = 0.0;
  for (var i = li; i < run.width; i += 64u) {
    let inside = vec4<u32>(4u * i) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(run.columns);
    let d = select(vec4<f32>(0.0), x[at + i] - mean, inside);
    squares += dot(d, d);
  }
  let inverse = inverseSqrt(total(squares, li) / f32(run.columns) + run.epsilon);
  // Of the padding, gamma and beta are 0.
  for (var i = li; i < run.width; i += 64u) {
    x[at + i] = (x[at + i] - mean) * inverse * norm[i] + norm[run.width + i];
  }
}
