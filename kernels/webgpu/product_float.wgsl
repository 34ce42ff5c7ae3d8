// What a product's tile is made of where numbers are floats: 16 columns of x and as many rows of weights at a time go to
// workgroup memory, x transposed, so that a step of k takes a vec4 of either and gives 16 products.
//
// Each sum is taken in the order of k, by itself: the same bits in any tile.
@group(1) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(1) @binding(2) var<storage, read> weights: array<vec4<number>>; // [panel][k][16]
@group(1) @binding(3) var<storage, read> bias: array<vec4<f32>>;

// Columns of x at a time.
const DEPTH = 16u;
// From one k of `a` to the next: blocks of rows, and one more, so that neighbours do not wait for each other.
const PITCH = ROWS / 4u + 1u;

var<workgroup> a: array<vec4<number>, DEPTH * PITCH>; // [k][4 rows]
var<workgroup> b: array<vec4<number>, DEPTH * 16u>; // [k][4 columns]

// Sums of 4 rows and 4 columns; products of these rows and columns.
struct Sums { r0: vec4<f32>, r1: vec4<f32>, r2: vec4<f32>, r3: vec4<f32> }
struct Products { r0: vec4<number>, r1: vec4<number>, r2: vec4<number>, r3: vec4<number> }

// Fetches the tile's rows, and the panel's weights, of columns `k0` and on. A thread takes four vec4s of x below each other.
fn fetch(row: u32, panel: u32, k0: u32, li: u32) {
  if (li < ROWS) {
    let four = row + (li & ~3u) + vec4<u32>(0u, 1u, 2u, 3u);
    // Rows behind the last are the last once more.
    let at = min(four, vec4<u32>(run.end - 1u)) * (run.k >> 2u) + (k0 >> 2u) + (li & 3u);
    let v0 = vec4<number>(x[at.x]);
    let v1 = vec4<number>(x[at.y]);
    let v2 = vec4<number>(x[at.z]);
    let v3 = vec4<number>(x[at.w]);
    let to = (li & 3u) * 4u * PITCH + (li >> 2u);
    a[to] = vec4<number>(v0.x, v1.x, v2.x, v3.x);
    a[to + PITCH] = vec4<number>(v0.y, v1.y, v2.y, v3.y);
    a[to + 2u * PITCH] = vec4<number>(v0.z, v1.z, v2.z, v3.z);
    a[to + 3u * PITCH] = vec4<number>(v0.w, v1.w, v2.w, v3.w);
  }
  let w = (panel * run.k + k0) * 16u + li;
  b[li] = weights[w];
  b[li + 64u] = weights[w + 64u];
  b[li + 128u] = weights[w + 128u];
  b[li + 192u] = weights[w + 192u];
}

// Steps that are fetched at a time, and their operands: four rows' numbers, four columns' weights.
fn steps(k0: u32) -> u32 { return DEPTH; }
fn rows_of(k: u32, block: u32) -> vec4<number> { return a[k * PITCH + block]; }
fn columns_of(k: u32, block: u32) -> vec4<number> { return b[k * 16u + block]; }

fn more(p: Products, r: vec4<number>, w: vec4<number>) -> Products {
  return Products(
    fma(vec4<number>(r.x), w, p.r0),
    fma(vec4<number>(r.y), w, p.r1),
    fma(vec4<number>(r.z), w, p.r2),
    fma(vec4<number>(r.w), w, p.r3),
  );
}

fn put_sums(row: u32, block: u32, panel: u32, group: u32, c: Sums) {
  let first = row + 4u * block;
  let column = panel * 16u + group;
  put(first, column, c.r0 + bias[column]);
  put(first + 1u, column, c.r1 + bias[column]);
  put(first + 2u, column, c.r2 + bias[column]);
  put(first + 3u, column, c.r3 + bias[column]);
}
