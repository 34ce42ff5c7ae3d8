// y = x W^T + b for few rows: a tile of 16 rows and 64 columns a workgroup, one block of 4 x 4 a thread.
//
// Few rows make few tiles: smaller ones keep more of the processor busy, and waste less where rows do not fill them.
const ROWS = 16u;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) li: u32) {
  let tx = li & 15u;
  let ty = li >> 4u;
  let row = run.first + wg.y * ROWS;
  var c = Sums();
  for (var k0 = 0u; k0 < run.k; k0 += DEPTH) {
    fetch(row, wg.x, k0, li);
    workgroupBarrier();
    var p = begun(c);
    for (var step = 0u; step < steps(k0); step++) {
      p = more(p, rows_of(step, ty), columns_of(step, tx));
    }
    c = ended(c, p);
    workgroupBarrier();
  }
  put_sums(row, ty, wg.x, tx, c);
}
