// What a product's tile is made of where numbers are bytes: 64 columns of x and as many rows of weights at a time go to
// workgroup memory, and a step takes 16 of them at once.
//
// Activations are q - 128, q from 0 to 255 (row_quantize.wgsl), so that both sides are signed bytes; the zero point leaves
// through the sums of weights. Sums are exact: 2^31 is 66,000 times the largest product.
@group(1) @binding(1) var<storage, read> x: array<vec4<u32>>;
@group(1) @binding(2) var<storage, read> weights: array<vec4<u32>>; // [panel][k / 16][4][16], columns 4 g + j at [j][g]
@group(1) @binding(3) var<storage, read> columns: array<vec4<f32>>; // of four columns: scales, biases, sums of weights as bits
@group(1) @binding(4) var<storage, read> rows: array<vec2<u32>>; // scale as bits, zero point - 128

// Columns of x at a time.
const DEPTH = 64u;

var<workgroup> a: array<vec4<u32>, 4u * ROWS>; // [16 bytes of k][row]
var<workgroup> b: array<vec4<u32>, 256>; // [16 bytes of k][4][16]

// Sums of 4 rows and 4 columns; and sixteen bytes of each of four rows, or columns.
struct Sums { r0: vec4<i32>, r1: vec4<i32>, r2: vec4<i32>, r3: vec4<i32> }
struct Bytes { b0: vec4<u32>, b1: vec4<u32>, b2: vec4<u32>, b3: vec4<u32> }

// Fetches the tile's rows, and the panel's weights, of columns `k0` and on. What is read from behind a row's end is not used.
fn fetch(row: u32, panel: u32, k0: u32, li: u32) {
  let width = run.k >> 4u;
  let first = k0 >> 4u;
  for (var e = li; e < 4u * ROWS; e += 64u) {
    a[(e & 3u) * ROWS + (e >> 2u)] = x[min(row + (e >> 2u), run.end - 1u) * width + min(first + (e & 3u), width - 1u)];
  }
  for (var e = li; e < 256u; e += 64u) {
    b[e] = weights[panel * width * 64u + min(first * 64u + e, width * 64u - 1u)];
  }
}

// Steps that are fetched at a time, and their operands. Neighbouring threads' rows are neighbours.
fn steps(k0: u32) -> u32 { return min(DEPTH, run.k - k0) >> 4u; }
fn rows_of(step: u32, block: u32) -> Bytes {
  let at = step * ROWS + block;
  return Bytes(a[at], a[at + ROWS / 4u], a[at + ROWS / 2u], a[at + 3u * ROWS / 4u]);
}
fn columns_of(step: u32, group: u32) -> Bytes {
  let at = step * 64u + group;
  return Bytes(b[at], b[at + 16u], b[at + 32u], b[at + 48u]);
}

fn dot16(a: vec4<u32>, b: vec4<u32>) -> i32 {
  return dot4(a.x, b.x) + dot4(a.y, b.y) + dot4(a.z, b.z) + dot4(a.w, b.w);
}
fn dots(r: vec4<u32>, w: Bytes) -> vec4<i32> {
  return vec4<i32>(dot16(r, w.b0), dot16(r, w.b1), dot16(r, w.b2), dot16(r, w.b3));
}
fn begun(c: Sums) -> Sums { return c; }
fn more(c: Sums, r: Bytes, w: Bytes) -> Sums {
  return Sums(c.r0 + dots(r.b0, w), c.r1 + dots(r.b1, w), c.r2 + dots(r.b2, w), c.r3 + dots(r.b3, w));
}
fn ended(c: Sums, p: Sums) -> Sums { return p; }

// Writes a row's sums of four columns as floats.
fn put_row(row: u32, column: u32, sums: vec4<i32>) {
  if (row >= run.end) { return; }
  let at = 3u * column;
  let parameters = rows[row];
  let exact = sums - bitcast<i32>(parameters.y) * bitcast<vec4<i32>>(columns[at + 2u]);
  let scale = bitcast<f32>(parameters.x) * columns[at];
  put(row, column, vec4<f32>(exact) * scale + columns[at + 1u]);
}

fn put_sums(row: u32, block: u32, panel: u32, group: u32, c: Sums) {
  let first = row + block;
  let column = panel * 16u + group;
  put_row(first, column, c.r0);
  put_row(first + ROWS / 4u, column, c.r1);
  put_row(first + ROWS / 2u, column, c.r2);
  put_row(first + 3u * ROWS / 4u, column, c.r3);
}
