// y = x W^T + b in float32: a tile of 64 rows and 64 columns a workgroup, 8 x 8 of them a thread.
//
// 16 columns of x and as many rows of weights at a time go to workgroup memory, x transposed, so that one step of k takes two
// vec4s of either and gives 64 products. Each sum is taken in the order of k, by itself: the same bits in any tile.
@group(1) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(1) @binding(2) var<storage, read> weights: array<vec4<f32>>; // [panel][k][16]
@group(1) @binding(3) var<storage, read> bias: array<vec4<f32>>;

var<workgroup> a: array<vec4<f32>, 272>; // [k][4 rows], 17 to a k, so that neighbours do not wait for each other
var<workgroup> b: array<vec4<f32>, 256>; // [k][4 columns]

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) li: u32) {
  let tx = li & 7u;
  let ty = li >> 3u;
  let row = run.first + wg.y * 64u;
  let last = run.end - 1u;
  // This thread's part of x: four vec4s below each other. Rows behind the last are the last once more.
  let four = li >> 2u;
  let x0 = min(row + 4u * four, last) * (run.k >> 2u) + (li & 3u);
  let x1 = min(row + 4u * four + 1u, last) * (run.k >> 2u) + (li & 3u);
  let x2 = min(row + 4u * four + 2u, last) * (run.k >> 2u) + (li & 3u);
  let x3 = min(row + 4u * four + 3u, last) * (run.k >> 2u) + (li & 3u);
  let to = (li & 3u) * 68u + four;
  // Sums: row by row, the tile's vec4 of columns number tx, and number tx + 8.
  var c00 = vec4<f32>(0.0); var c01 = vec4<f32>(0.0);
  var c10 = vec4<f32>(0.0); var c11 = vec4<f32>(0.0);
  var c20 = vec4<f32>(0.0); var c21 = vec4<f32>(0.0);
  var c30 = vec4<f32>(0.0); var c31 = vec4<f32>(0.0);
  var c40 = vec4<f32>(0.0); var c41 = vec4<f32>(0.0);
  var c50 = vec4<f32>(0.0); var c51 = vec4<f32>(0.0);
  var c60 = vec4<f32>(0.0); var c61 = vec4<f32>(0.0);
  var c70 = vec4<f32>(0.0); var c71 = vec4<f32>(0.0);
  for (var k0 = 0u; k0 < run.k; k0 += 16u) {
    let v0 = x[x0 + (k0 >> 2u)];
    let v1 = x[x1 + (k0 >> 2u)];
    let v2 = x[x2 + (k0 >> 2u)];
    let v3 = x[x3 + (k0 >> 2u)];
    a[to] = vec4<f32>(v0.x, v1.x, v2.x, v3.x);
    a[to + 17u] = vec4<f32>(v0.y, v1.y, v2.y, v3.y);
    a[to + 34u] = vec4<f32>(v0.z, v1.z, v2.z, v3.z);
    a[to + 51u] = vec4<f32>(v0.w, v1.w, v2.w, v3.w);
    let w = (wg.x * run.k + k0) * 16u + li;
    b[li] = weights[w];
    b[li + 64u] = weights[w + 64u];
    b[li + 128u] = weights[w + 128u];
    b[li + 192u] = weights[w + 192u];
    workgroupBarrier();
    for (var k = 0u; k < 16u; k++) {
      let r = a[k * 17u + 2u * ty];
      let s = a[k * 17u + 2u * ty + 1u];
      let v = b[k * 16u + tx];
      let w = b[k * 16u + tx + 8u];
      c00 = fma(vec4<f32>(r.x), v, c00); c01 = fma(vec4<f32>(r.x), w, c01);
      c10 = fma(vec4<f32>(r.y), v, c10); c11 = fma(vec4<f32>(r.y), w, c11);
      c20 = fma(vec4<f32>(r.z), v, c20); c21 = fma(vec4<f32>(r.z), w, c21);
      c30 = fma(vec4<f32>(r.w), v, c30); c31 = fma(vec4<f32>(r.w), w, c31);
      c40 = fma(vec4<f32>(s.x), v, c40); c41 = fma(vec4<f32>(s.x), w, c41);
      c50 = fma(vec4<f32>(s.y), v, c50); c51 = fma(vec4<f32>(s.y), w, c51);
      c60 = fma(vec4<f32>(s.z), v, c60); c61 = fma(vec4<f32>(s.z), w, c61);
      c70 = fma(vec4<f32>(s.w), v, c70); c71 = fma(vec4<f32>(s.w), w, c71);
    }
    workgroupBarrier();
  }
  let column = wg.x * 16u + tx;
  let first = row + 8u * ty;
  let b0 = bias[column];
  let b1 = bias[column + 8u];
  put(first, column, c00 + b0); put(first, column + 8u, c01 + b1);
  put(first + 1u, column, c10 + b0); put(first + 1u, column + 8u, c11 + b1);
  put(first + 2u, column, c20 + b0); put(first + 2u, column + 8u, c21 + b1);
  put(first + 3u, column, c30 + b0); put(first + 3u, column + 8u, c31 + b1);
  put(first + 4u, column, c40 + b0); put(first + 4u, column + 8u, c41 + b1);
  put(first + 5u, column, c50 + b0); put(first + 5u, column + 8u, c51 + b1);
  put(first + 6u, column, c60 + b0); put(first + 6u, column + 8u, c61 + b1);
  put(first + 7u, column, c70 + b0); put(first + 7u, column + 8u, c71 + b1);
}
