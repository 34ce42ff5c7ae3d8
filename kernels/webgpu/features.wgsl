// x += f W, f being the lexicon features of a token, W a row for each of them. A workgroup a row.
//
// Most tokens have few features or none, so one of 0 is passed over.
@group(1) @binding(0) var<storage, read_write> x: array<vec4<f32>>;
@group(1) @binding(1) var<storage, read> features: array<f32>;
@group(1) @binding(2) var<storage, read> table: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) li: u32) {
  let row = run.first + wg.x;
  let own = row * run.pitch + run.feature;
  for (var i = li; i < run.width; i += 64u) {
    var sum = x[row * run.width + i];
    for (var j = 0u; j < run.features; j++) {
      let feature = features[own + j];
      if (feature != 0.0) { sum += feature * table[j * run.width + i]; }
    }
    x[row * run.width + i] = sum;
  }
}
