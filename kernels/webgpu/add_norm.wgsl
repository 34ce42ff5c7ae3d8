// x = LayerNorm(x + update). A workgroup a row.
@group(1) @binding(0) var<storage, read_write> x: array<vec4<f32>>;
@group(1) @binding(1) var<storage, read> update: array<vec4<f32>>;
@group(1) @binding(2) var<storage, read> norm: array<vec4<f32>>; // gamma, then beta

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) li: u32) {
  let at = (run.first + wg.x) * run.width;
  var sum = 0.0;
  for (var i = li; i < run.width; i += 64u) {
    let v = x[at + i] + update[at + i];
    x[at + i] = v;
    sum += dot(v, vec4<f32>(1.0));
  }
  normalize(at, sum, li);
}
