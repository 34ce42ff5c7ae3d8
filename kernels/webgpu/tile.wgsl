// y = x W^T + b: a tile of 64 rows and 64 columns a workgroup, 8 x 8 of them a thread, in four blocks of 4 x 4.
const ROWS = 64u;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) li: u32) {
  let tx = li & 7u;
  let ty = li >> 3u;
  let row = run.first + wg.y * ROWS;
  var c00 = Sums(); var c01 = Sums();
  var c10 = Sums(); var c11 = Sums();
  for (var k0 = 0u; k0 < run.k; k0 += DEPTH) {
    fetch(row, wg.x, k0, li);
    workgroupBarrier();
    var p00 = begun(c00); var p01 = begun(c01);
    var p10 = begun(c10); var p11 = begun(c11);
    for (var step = 0u; step < steps(k0); step++) {
      let r0 = rows_of(step, ty);
      let r1 = rows_of(step, ty + 8u);
      let w0 = columns_of(step, tx);
      let w1 = columns_of(step, tx + 8u);
      p00 = more(p00, r0, w0); p01 = more(p01, r0, w1);
      p10 = more(p10, r1, w0); p11 = more(p11, r1, w1);
    }
    c00 = ended(c00, p00); c01 = ended(c01, p01);
    c10 = ended(c10, p10); c11 = ended(c11, p11);
    workgroupBarrier();
  }
  put_sums(row, ty, wg.x, tx, c00); put_sums(row, ty, wg.x, tx + 8u, c01);
  put_sums(row, ty + 8u, wg.x, tx, c10); put_sums(row, ty + 8u, wg.x, tx + 8u, c11);
}
