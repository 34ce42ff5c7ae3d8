// x = activation(x), for a tensor that no product has just written (a product applies it as it writes). A workgroup a row.
@group(1) @binding(0) var<storage, read_write> x: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) li: u32) {
  let at = (run.first + wg.x) * run.width;
  for (var i = li; i < run.width; i += 64u) { x[at + i] = activation(x[at + i]); }
}
