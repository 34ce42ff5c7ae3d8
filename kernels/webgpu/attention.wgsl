// softmax(Q K^T / sqrt(head size)) V of one head of one sequence, in one pass: a workgroup has 32 queries, walks over the
// sequence's keys 16 at a time and never stores a score outside of its own memory.
//
// The softmax is kept online (Milakov and Gimelshein, arXiv 1805.02867; tiled as in Dao et al., arXiv 2205.14135): the largest
// score so far, the sum of exponentials relative to it, and the weighted sum of values, both rescaled when a larger score comes.
// Its order depends on the sequence alone. Tiles are listed on the CPU; none holds a token of another sequence.
//
// All that a workgroup stores takes 16,256 bytes, of the 16,384 that every adapter has: keys and values take turns in one
// place, a head wider than 64 goes through in chunks of 64 columns for its scores, and has a workgroup for each chunk of
// values, which computes the scores once more. Weak there: of heads of 128 columns it does 1.5 times the arithmetic.
//
// Binding 0 of group 0 of every kernel is what a dispatch covers and the shapes of its arrays, at a dynamic offset. A long
// dispatch is cut into several, so that no driver's watchdog takes it for a hang, and they differ in `first` and `end` alone.
// Shapes are no constants of the text: compiling takes longer than a short text, and so it is done once for all shapes.
struct Run {
  first: u32, // tiles from `first` up to `end`
  end: u32,
  head: u32, // vec4s of a head, a multiple of 4
  width: u32, // vec4s of all heads: a row of the context, and a third of a row of qkv
  scale: f32, // log2(e) / sqrt(head size)
}
@group(0) @binding(0) var<uniform> run: Run;

@group(1) @binding(0) var<storage, read_write> context: array<vec4<f32>>;
@group(1) @binding(1) var<storage, read> qkv: array<vec4<f32>>;
@group(1) @binding(2) var<storage, read> tiles: array<vec4<u32>>; // first token and length of a sequence, first query in it

const LOWEST = -1e30;

var<workgroup> queries: array<vec4<f32>, 544>; // 32 rows of 16, 17 apart
var<workgroup> keys: array<vec4<f32>, 272>; // 16 rows of 16, 17 apart; then values
var<workgroup> exponentials: array<f32, 544>; // 32 rows of 16, 17 apart
var<workgroup> partial: array<f32, 256>; // 32 rows of 8

// The tile's queries, 16 vec4s of each from number `column` of the head on. What is not there is 0.
fn load_queries(tile: vec4<u32>, head: u32, column: u32, li: u32) {
  for (var e = li; e < 512u; e += 64u) {
    let row = tile.z + (e >> 4u);
    let c = column + (e & 15u);
    var v = vec4<f32>(0.0);
    if (row < tile.y && c < run.head) { v = qkv[(tile.x + row) * 3u * run.width + head * run.head + c] * run.scale; }
    queries[(e >> 4u) * 17u + (e & 15u)] = v;
  }
}

// The same of 16 keys (part 1) or values (part 2), from the sequence's row `first` on.
fn load_keys(tile: vec4<u32>, first: u32, part: u32, head: u32, column: u32, li: u32) {
  for (var e = li; e < 256u; e += 64u) {
    let row = first + (e >> 4u);
    let c = column + (e & 15u);
    var v = vec4<f32>(0.0);
    if (row < tile.y && c < run.head) { v = qkv[((tile.x + row) * 3u + part) * run.width + head * run.head + c]; }
    keys[(e >> 4u) * 17u + (e & 15u)] = v;
  }
}

// The largest of a row's 8 partial values, and their sum.
fn largest(row: u32) -> f32 {
  let at = row * 8u;
  return max(
    max(max(partial[at], partial[at + 1u]), max(partial[at + 2u], partial[at + 3u])),
    max(max(partial[at + 4u], partial[at + 5u]), max(partial[at + 6u], partial[at + 7u])),
  );
}
fn summed(row: u32) -> f32 {
  let at = row * 8u;
  return ((partial[at] + partial[at + 1u]) + (partial[at + 2u] + partial[at + 3u])) +
    ((partial[at + 4u] + partial[at + 5u]) + (partial[at + 6u] + partial[at + 7u]));
}

// A thread has queries ty, ty + 8, ty + 16 and ty + 24 of the tile; of scores the keys tx and tx + 8, of values the vec4s of
// these numbers.
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) li: u32) {
  let tile = tiles[run.first + wg.x];
  let head = wg.y;
  let chunk = wg.z * 16u;
  let tx = li & 7u;
  let ty = li >> 3u;
  var high = vec4<f32>(LOWEST);
  var sum = vec4<f32>(0.0);
  var o00 = vec4<f32>(0.0); var o01 = vec4<f32>(0.0);
  var o10 = vec4<f32>(0.0); var o11 = vec4<f32>(0.0);
  var o20 = vec4<f32>(0.0); var o21 = vec4<f32>(0.0);
  var o30 = vec4<f32>(0.0); var o31 = vec4<f32>(0.0);
  if (run.head <= 16u) { load_queries(tile, head, 0u, li); }
  for (var key = 0u; key < tile.y; key += 16u) {
    // Scores of the four queries with either key.
    var s0 = vec4<f32>(0.0);
    var s1 = vec4<f32>(0.0);
    for (var column = 0u; column < run.head; column += 16u) {
      if (run.head > 16u) { load_queries(tile, head, column, li); }
      load_keys(tile, key, 1u, head, column, li);
      workgroupBarrier();
      for (var d = 0u; d < min(16u, run.head - column); d++) {
        let q0 = queries[ty * 17u + d];
        let q1 = queries[(ty + 8u) * 17u + d];
        let q2 = queries[(ty + 16u) * 17u + d];
        let q3 = queries[(ty + 24u) * 17u + d];
        let k0 = keys[tx * 17u + d];
        let k1 = keys[(tx + 8u) * 17u + d];
        s0 += vec4<f32>(dot(q0, k0), dot(q1, k0), dot(q2, k0), dot(q3, k0));
        s1 += vec4<f32>(dot(q0, k1), dot(q1, k1), dot(q2, k1), dot(q3, k1));
      }
      workgroupBarrier();
    }
    if (key + tx >= tile.y) { s0 = vec4<f32>(LOWEST); }
    if (key + tx + 8u >= tile.y) { s1 = vec4<f32>(LOWEST); }
    let own = max(s0, s1);
    partial[ty * 8u + tx] = own.x;
    partial[(ty + 8u) * 8u + tx] = own.y;
    partial[(ty + 16u) * 8u + tx] = own.z;
    partial[(ty + 24u) * 8u + tx] = own.w;
    workgroupBarrier();
    let higher = max(high, vec4<f32>(largest(ty), largest(ty + 8u), largest(ty + 16u), largest(ty + 24u)));
    let less = exp2(high - higher);
    high = higher;
    let e0 = exp2(s0 - high);
    let e1 = exp2(s1 - high);
    sum = sum * less + (e0 + e1);
    exponentials[ty * 17u + tx] = e0.x;
    exponentials[(ty + 8u) * 17u + tx] = e0.y;
    exponentials[(ty + 16u) * 17u + tx] = e0.z;
    exponentials[(ty + 24u) * 17u + tx] = e0.w;
    exponentials[ty * 17u + tx + 8u] = e1.x;
    exponentials[(ty + 8u) * 17u + tx + 8u] = e1.y;
    exponentials[(ty + 16u) * 17u + tx + 8u] = e1.z;
    exponentials[(ty + 24u) * 17u + tx + 8u] = e1.w;
    load_keys(tile, key, 2u, head, chunk, li);
    o00 *= less.x; o01 *= less.x;
    o10 *= less.y; o11 *= less.y;
    o20 *= less.z; o21 *= less.z;
    o30 *= less.w; o31 *= less.w;
    workgroupBarrier();
    for (var k = 0u; k < min(16u, tile.y - key); k++) {
      let p0 = exponentials[ty * 17u + k];
      let p1 = exponentials[(ty + 8u) * 17u + k];
      let p2 = exponentials[(ty + 16u) * 17u + k];
      let p3 = exponentials[(ty + 24u) * 17u + k];
      let v = keys[k * 17u + tx];
      o00 += p0 * v;
      o10 += p1 * v;
      o20 += p2 * v;
      o30 += p3 * v;
      if (run.head > 8u) {
        let w = keys[k * 17u + tx + 8u];
        o01 += p0 * w;
        o11 += p1 * w;
        o21 += p2 * w;
        o31 += p3 * w;
      }
    }
    workgroupBarrier();
  }
  partial[ty * 8u + tx] = sum.x;
  partial[(ty + 8u) * 8u + tx] = sum.y;
  partial[(ty + 16u) * 8u + tx] = sum.z;
  partial[(ty + 24u) * 8u + tx] = sum.w;
  workgroupBarrier();
  put(tile, ty, head, chunk + tx, o00, o01);
  put(tile, ty + 8u, head, chunk + tx, o10, o11);
  put(tile, ty + 16u, head, chunk + tx, o20, o21);
  put(tile, ty + 24u, head, chunk + tx, o30, o31);
}

// Writes two vec4s of a query's context, number `column` and `column + 8` of the head, those that are there.
fn put(tile: vec4<u32>, query: u32, head: u32, column: u32, near: vec4<f32>, far: vec4<f32>) {
  if (tile.z + query >= tile.y) { return; }
  let total = summed(query);
  let at = (tile.x + tile.z + query) * run.width + head * run.head + column;
  if (column < run.head) { context[at] = near / total; }
  if (column + 8u < run.head) { context[at + 8u] = far / total; }
}
