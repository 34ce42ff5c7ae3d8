// y = x W^T + b in int8 for few rows: a tile of 16 rows and 64 columns a workgroup, 4 x 4 of them a thread.
var<workgroup> a: array<vec4<u32>, 64>; // [16 bytes of k][row]
var<workgroup> b: array<vec4<u32>, 256>; // [16 bytes of k][4][16]

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) li: u32) {
  let tx = li & 15u;
  let ty = li >> 4u;
  let row = run.first + wg.y * 16u;
  let last = run.end - 1u;
  let width = run.k >> 4u;
  // Sums of rows ty, ty + 4 and so on; of columns the four number tx.
  var c0 = vec4<i32>(0);
  var c1 = vec4<i32>(0);
  var c2 = vec4<i32>(0);
  var c3 = vec4<i32>(0);
  for (var k0 = 0u; k0 < width; k0 += 4u) {
    // What is read from behind a row's end is not used below.
    a[(li & 3u) * 16u + (li >> 2u)] = x[min(row + (li >> 2u), last) * width + min(k0 + (li & 3u), width - 1u)];
    for (var e = li; e < 256u; e += 64u) {
      b[e] = weights[wg.x * width * 64u + min(k0 * 64u + e, width * 64u - 1u)];
    }
    workgroupBarrier();
    for (var k = 0u; k < min(4u, width - k0); k++) {
      let r = k * 16u + ty;
      let w = k * 64u + tx;
      let b0 = b[w];
      let b1 = b[w + 16u];
      let b2 = b[w + 32u];
      let b3 = b[w + 48u];
      c0 += dots(a[r], b0, b1, b2, b3);
      c1 += dots(a[r + 4u], b0, b1, b2, b3);
      c2 += dots(a[r + 8u], b0, b1, b2, b3);
      c3 += dots(a[r + 12u], b0, b1, b2, b3);
    }
    workgroupBarrier();
  }
  let first = row + ty;
  put_sums(first, wg.x, tx, c0);
  put_sums(first + 4u, wg.x, tx, c1);
  put_sums(first + 8u, wg.x, tx, c2);
  put_sums(first + 12u, wg.x, tx, c3);
}
