// A row of x = LayerNorm(x + update).
@group(1) @binding(0) var<storage, read_write> x: array<vec4<f32>>;
@group(1) @binding(1) var<storage, read> update: array<vec4<f32>>;
@group(1) @binding(2) var<storage, read> norm: array<vec4<f32>>; // gamma, then beta

fn add_norm(row: u32, li: u32) {
  let at = row * run.width;
  var sum = 0.0;
  for (var i = li; i < run.width; i += 64u) {
    let v = x[at + i] + update[at + i];
    x[at + i] = v;
    sum += dot(v, vec4<f32>(1.0));
  }
  normalize(at, sum, li);
}
