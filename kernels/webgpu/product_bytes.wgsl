// What the int8 products share: sixteen bytes at a time, and what becomes of their sums.
//
// Activations are q - 128, q from 0 to 255 (row_quantize.wgsl), so that both sides are signed bytes; the zero point leaves
// through the sums of weights. Sums are exact: 2^31 is 66,000 times the largest product.
@group(1) @binding(1) var<storage, read> x: array<vec4<u32>>;
@group(1) @binding(2) var<storage, read> weights: array<vec4<u32>>; // [panel][k / 16][4][16], columns 4 g + j at [j][g]
@group(1) @binding(3) var<storage, read> columns: array<vec4<f32>>; // of four columns: scales, biases, sums of weights as bits
@group(1) @binding(4) var<storage, read> rows: array<vec2<u32>>; // scale as bits, zero point - 128

fn dot16(a: vec4<u32>, b: vec4<u32>) -> i32 {
  return dot4(a.x, b.x) + dot4(a.y, b.y) + dot4(a.z, b.z) + dot4(a.w, b.w);
}
fn dots(a: vec4<u32>, b0: vec4<u32>, b1: vec4<u32>, b2: vec4<u32>, b3: vec4<u32>) -> vec4<i32> {
  return vec4<i32>(dot16(a, b0), dot16(a, b1), dot16(a, b2), dot16(a, b3));
}

// Writes a row's sums of four columns as floats.
fn put_sums(row: u32, panel: u32, group: u32, sums: vec4<i32>) {
  if (row >= run.end) { return; }
  let at = 3u * (panel * 16u + group);
  let parameters = rows[row];
  let exact = sums - bitcast<i32>(parameters.y) * bitcast<vec4<i32>>(columns[at + 2u]);
  let scale = bitcast<f32>(parameters.x) * columns[at];
  put(row, panel * 16u + group, vec4<f32>(exact) * scale + columns[at + 1u]);
}
