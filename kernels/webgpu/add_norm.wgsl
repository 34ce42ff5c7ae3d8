// x = LayerNorm(x + update). A workgroup a row.
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) li: u32) {
  add_norm(run.first + wg.x, li);
}
