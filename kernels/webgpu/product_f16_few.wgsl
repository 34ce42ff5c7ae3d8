// y = x W^T + b with weights in half precision for few rows: the tiles of product_f32_few.wgsl, sums as in product_f16.wgsl, to
// the same bits.
@group(1) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(1) @binding(2) var<storage, read> weights: array<vec4<f16>>; // [panel][k][16]
@group(1) @binding(3) var<storage, read> bias: array<vec4<f32>>;

var<workgroup> a: array<vec4<f16>, 80>; // [k][4 rows], 5 to a k
var<workgroup> b: array<vec4<f16>, 256>; // [k][4 columns]

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
      let v0 = vec4<f16>(x[x0 + (k0 >> 2u)]);
      let v1 = vec4<f16>(x[x1 + (k0 >> 2u)]);
      let v2 = vec4<f16>(x[x2 + (k0 >> 2u)]);
      let v3 = vec4<f16>(x[x3 + (k0 >> 2u)]);
      a[to] = vec4<f16>(v0.x, v1.x, v2.x, v3.x);
      a[to + 5u] = vec4<f16>(v0.y, v1.y, v2.y, v3.y);
      a[to + 10u] = vec4<f16>(v0.z, v1.z, v2.z, v3.z);
      a[to + 15u] = vec4<f16>(v0.w, v1.w, v2.w, v3.w);
    }
    let at = (wg.x * run.k + k0) * 16u + li;
    b[li] = weights[at];
    b[li + 64u] = weights[at + 64u];
    b[li + 128u] = weights[at + 128u];
    b[li + 192u] = weights[at + 192u];
    workgroupBarrier();
    var h0 = vec4<f16>(0.0h);
    var h1 = vec4<f16>(0.0h);
    var h2 = vec4<f16>(0.0h);
    var h3 = vec4<f16>(0.0h);
    for (var k = 0u; k < 16u; k++) {
      let r = a[k * 5u + ty];
      let v = b[k * 16u + tx];
      h0 = fma(vec4<f16>(r.x), v, h0);
      h1 = fma(vec4<f16>(r.y), v, h1);
      h2 = fma(vec4<f16>(r.z), v, h2);
      h3 = fma(vec4<f16>(r.w), v, h3);
    }
    c0 += vec4<f32>(h0);
    c1 += vec4<f32>(h1);
    c2 += vec4<f32>(h2);
    c3 += vec4<f32>(h3);
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
