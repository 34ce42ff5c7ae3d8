// y = x W^T + b in int8: a tile of 64 rows and 64 columns a workgroup, 8 x 8 of them a thread, 64 bytes of k at a time.
var<workgroup> a: array<vec4<u32>, 256>; // [16 bytes of k][row]
var<workgroup> b: array<vec4<u32>, 256>; // [16 bytes of k][4][16]

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) li: u32) {
  let tx = li & 7u;
  let ty = li >> 3u;
  let row = run.first + wg.y * 64u;
  let last = run.end - 1u;
  let width = run.k >> 4u;
  // Sums of rows ty, ty + 8 and so on; of columns the fours number tx and tx + 8.
  var c00 = vec4<i32>(0); var c01 = vec4<i32>(0);
  var c10 = vec4<i32>(0); var c11 = vec4<i32>(0);
  var c20 = vec4<i32>(0); var c21 = vec4<i32>(0);
  var c30 = vec4<i32>(0); var c31 = vec4<i32>(0);
  var c40 = vec4<i32>(0); var c41 = vec4<i32>(0);
  var c50 = vec4<i32>(0); var c51 = vec4<i32>(0);
  var c60 = vec4<i32>(0); var c61 = vec4<i32>(0);
  var c70 = vec4<i32>(0); var c71 = vec4<i32>(0);
  for (var k0 = 0u; k0 < width; k0 += 4u) {
    // What is read from behind a row's end is not used below.
    for (var e = li; e < 256u; e += 64u) {
      a[(e & 3u) * 64u + (e >> 2u)] = x[min(row + (e >> 2u), last) * width + min(k0 + (e & 3u), width - 1u)];
      b[e] = weights[wg.x * width * 64u + min(k0 * 64u + e, width * 64u - 1u)];
    }
    workgroupBarrier();
    for (var k = 0u; k < min(4u, width - k0); k++) {
      let r = k * 64u + ty;
      let w = k * 64u + tx;
      let b0 = b[w];
      let b1 = b[w + 16u];
      let b2 = b[w + 32u];
      let b3 = b[w + 48u];
      let d0 = b[w + 8u];
      let d1 = b[w + 24u];
      let d2 = b[w + 40u];
      let d3 = b[w + 56u];
      let a0 = a[r]; c00 += dots(a0, b0, b1, b2, b3); c01 += dots(a0, d0, d1, d2, d3);
      let a1 = a[r + 8u]; c10 += dots(a1, b0, b1, b2, b3); c11 += dots(a1, d0, d1, d2, d3);
      let a2 = a[r + 16u]; c20 += dots(a2, b0, b1, b2, b3); c21 += dots(a2, d0, d1, d2, d3);
      let a3 = a[r + 24u]; c30 += dots(a3, b0, b1, b2, b3); c31 += dots(a3, d0, d1, d2, d3);
      let a4 = a[r + 32u]; c40 += dots(a4, b0, b1, b2, b3); c41 += dots(a4, d0, d1, d2, d3);
      let a5 = a[r + 40u]; c50 += dots(a5, b0, b1, b2, b3); c51 += dots(a5, d0, d1, d2, d3);
      let a6 = a[r + 48u]; c60 += dots(a6, b0, b1, b2, b3); c61 += dots(a6, d0, d1, d2, d3);
      let a7 = a[r + 56u]; c70 += dots(a7, b0, b1, b2, b3); c71 += dots(a7, d0, d1, d2, d3);
    }
    workgroupBarrier();
  }
  let first = row + ty;
  put_sums(first, wg.x, tx, c00); put_sums(first, wg.x, tx + 8u, c01);
  put_sums(first + 8u, wg.x, tx, c10); put_sums(first + 8u, wg.x, tx + 8u, c11);
  put_sums(first + 16u, wg.x, tx, c20); put_sums(first + 16u, wg.x, tx + 8u, c21);
  put_sums(first + 24u, wg.x, tx, c30); put_sums(first + 24u, wg.x, tx + 8u, c31);
  put_sums(first + 32u, wg.x, tx, c40); put_sums(first + 32u, wg.x, tx + 8u, c41);
  put_sums(first + 40u, wg.x, tx, c50); put_sums(first + 40u, wg.x, tx + 8u, c51);
  put_sums(first + 48u, wg.x, tx, c60); put_sums(first + 48u, wg.x, tx + 8u, c61);
  put_sums(first + 56u, wg.x, tx, c70); put_sums(first + 56u, wg.x, tx + 8u, c71);
}
