// y = x W^T + b in float32 for few rows: a tile of 16 rows and 64 columns a workgroup, 4 x 4 of them a thread.
//
// Few rows make few tiles: smaller ones keep more of the processor busy, and waste less where rows do not fill them. Sums are
// taken as in product_f32.wgsl, to the same bits.
@group(1) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(1) @binding(2) var<storage, read> weights: array<vec4<f32>>; // [panel][k][16]
@group(1) @binding(3) var<storage, read> bias: array<vec4<f32>>;

var<workgroup> a: array<vec4<f32>, 80>; // [k][4 rows], 5 to a k
var<workgroup> b: array<vec4<f32>, 256>; // [k][4 columns]

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) li: u32) {
  let tx = li & 15u;
  let ty = li >> 4u;
  let row = run.first + wg.y * 16u;
  let last = run.end - 1u;
  // The first 16 threads fetch x, four vec4s below each other.
  let four = (li >> 2u) & 3u;
  let x0 = min(row + 4u * four, last) * (run.k >> 2u) + (li & 3u);
  let x1 = min(row + 4u * four + 1u, last) * (run.k >> 2u) + (li & 3u);
  let x2 = min(row + 4u * four + 2u, last) * (run.k >> 2u) + (li & 3u);
  let x3 = min(row + 4u * four + 3u, last) * (run.k >> 2u) + (li & 3u);
  let to = (li & 3u) * 20u + four;
  var c0 = vec4<f32>(0.0);
  var c1 = vec4<f32>(0.0);
  var c2 = vec4<f32>(0.0);
  var c3 = vec4<f32>(0.0);
  for (var k0 = 0u; k0 < run.k; k0 += 16u) {
    if (li < 16u) {
      let v0 = x[x0 + (k0 >> 2u)];
      let v1 = x[x1 + (k0 >> 2u)];
      let v2 = x[x2 + (k0 >> 2u)];
      let v3 = x[x3 + (k0 >> 2u)];
      a[to] = vec4<f32>(v0.x, v1.x, v2.x, v3.x);
      a[to + 5u] = vec4<f32>(v0.y, v1.y, v2.y, v3.y);
      a[to + 10u] = vec4<f32>(v0.z, v1.z, v2.z, v3.z);
      a[to + 15u] = vec4<f32>(v0.w, v1.w, v2.w, v3.w);
    }
    let w = (wg.x * run.k + k0) * 16u + li;
    b[li] = weights[w];
    b[li + 64u] = weights[w + 64u];
    b[li + 128u] = weights[w + 128u];
    b[li + 192u] = weights[w + 192u];
    workgroupBarrier();
    for (var k = 0u; k < 16u; k++) {
      let r = a[k * 5u + ty];
      let v = b[k * 16u + tx];
      c0 = fma(vec4<f32>(r.x), v, c0);
      c1 = fma(vec4<f32>(r.y), v, c1);
      c2 = fma(vec4<f32>(r.z), v, c2);
      c3 = fma(vec4<f32>(r.w), v, c3);
    }
    workgroupBarrier();
  }
  let column = wg.x * 16u + tx;
  let first = row + 4u * ty;
  let bias0 = bias[column];
  put(first, column, c0 + bias0);
  put(first + 1u, column, c1 + bias0);
  put(first + 2u, column, c2 + bias0);
  put(first + 3u, column, c3 + bias0);
}
