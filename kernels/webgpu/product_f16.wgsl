// y = x W^T + b with weights in half precision: the tiles of product_f32.wgsl.
//
// Sixteen products of a sum are added up in half precision, and these sums in float32: so errors do not grow with k. Weak: x is
// rounded to half precision on its way in, whose largest number is 65,504.
@group(1) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(1) @binding(2) var<storage, read> weights: array<vec4<f16>>; // [panel][k][16]
@group(1) @binding(3) var<storage, read> bias: array<vec4<f32>>;

var<workgroup> a: array<vec4<f16>, 272>; // [k][4 rows], 17 to a k
var<workgroup> b: array<vec4<f16>, 256>; // [k][4 columns]

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) li: u32) {
  let tx = li & 7u;
  let ty = li >> 3u;
  let row = run.first + wg.y * 64u;
  let last = run.end - 1u;
  let four = li >> 2u;
  let x0 = min(row + 4u * four, last) * (run.k >> 2u) + (li & 3u);
  let x1 = min(row + 4u * four + 1u, last) * (run.k >> 2u) + (li & 3u);
  let x2 = min(row + 4u * four + 2u, last) * (run.k >> 2u) + (li & 3u);
  let x3 = min(row + 4u * four + 3u, last) * (run.k >> 2u) + (li & 3u);
  let to = (li & 3u) * 68u + four;
  var c00 = vec4<f32>(0.0); var c01 = vec4<f32>(0.0);
  var c10 = vec4<f32>(0.0); var c11 = vec4<f32>(0.0);
  var c20 = vec4<f32>(0.0); var c21 = vec4<f32>(0.0);
  var c30 = vec4<f32>(0.0); var c31 = vec4<f32>(0.0);
  var c40 = vec4<f32>(0.0); var c41 = vec4<f32>(0.0);
  var c50 = vec4<f32>(0.0); var c51 = vec4<f32>(0.0);
  var c60 = vec4<f32>(0.0); var c61 = vec4<f32>(0.0);
  var c70 = vec4<f32>(0.0); var c71 = vec4<f32>(0.0);
  for (var k0 = 0u; k0 < run.k; k0 += 16u) {
    let v0 = vec4<f16>(x[x0 + (k0 >> 2u)]);
    let v1 = vec4<f16>(x[x1 + (k0 >> 2u)]);
    let v2 = vec4<f16>(x[x2 + (k0 >> 2u)]);
    let v3 = vec4<f16>(x[x3 + (k0 >> 2u)]);
    a[to] = vec4<f16>(v0.x, v1.x, v2.x, v3.x);
    a[to + 17u] = vec4<f16>(v0.y, v1.y, v2.y, v3.y);
    a[to + 34u] = vec4<f16>(v0.z, v1.z, v2.z, v3.z);
    a[to + 51u] = vec4<f16>(v0.w, v1.w, v2.w, v3.w);
    let at = (wg.x * run.k + k0) * 16u + li;
    b[li] = weights[at];
    b[li + 64u] = weights[at + 64u];
    b[li + 128u] = weights[at + 128u];
    b[li + 192u] = weights[at + 192u];
    workgroupBarrier();
    var h00 = vec4<f16>(0.0h); var h01 = vec4<f16>(0.0h);
    var h10 = vec4<f16>(0.0h); var h11 = vec4<f16>(0.0h);
    var h20 = vec4<f16>(0.0h); var h21 = vec4<f16>(0.0h);
    var h30 = vec4<f16>(0.0h); var h31 = vec4<f16>(0.0h);
    var h40 = vec4<f16>(0.0h); var h41 = vec4<f16>(0.0h);
    var h50 = vec4<f16>(0.0h); var h51 = vec4<f16>(0.0h);
    var h60 = vec4<f16>(0.0h); var h61 = vec4<f16>(0.0h);
    var h70 = vec4<f16>(0.0h); var h71 = vec4<f16>(0.0h);
    for (var k = 0u; k < 16u; k++) {
      let r = a[k * 17u + 2u * ty];
      let s = a[k * 17u + 2u * ty + 1u];
      let v = b[k * 16u + tx];
      let w = b[k * 16u + tx + 8u];
      h00 = fma(vec4<f16>(r.x), v, h00); h01 = fma(vec4<f16>(r.x), w, h01);
      h10 = fma(vec4<f16>(r.y), v, h10); h11 = fma(vec4<f16>(r.y), w, h11);
      h20 = fma(vec4<f16>(r.z), v, h20); h21 = fma(vec4<f16>(r.z), w, h21);
      h30 = fma(vec4<f16>(r.w), v, h30); h31 = fma(vec4<f16>(r.w), w, h31);
      h40 = fma(vec4<f16>(s.x), v, h40); h41 = fma(vec4<f16>(s.x), w, h41);
      h50 = fma(vec4<f16>(s.y), v, h50); h51 = fma(vec4<f16>(s.y), w, h51);
      h60 = fma(vec4<f16>(s.z), v, h60); h61 = fma(vec4<f16>(s.z), w, h61);
      h70 = fma(vec4<f16>(s.w), v, h70); h71 = fma(vec4<f16>(s.w), w, h71);
    }
    c00 += vec4<f32>(h00); c01 += vec4<f32>(h01);
    c10 += vec4<f32>(h10); c11 += vec4<f32>(h11);
    c20 += vec4<f32>(h20); c21 += vec4<f32>(h21);
    c30 += vec4<f32>(h30); c31 += vec4<f32>(h31);
    c40 += vec4<f32>(h40); c41 += vec4<f32>(h41);
    c50 += vec4<f32>(h50); c51 += vec4<f32>(h51);
    c60 += vec4<f32>(h60); c61 += vec4<f32>(h61);
    c70 += vec4<f32>(h70); c71 += vec4<f32>(h71);
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
