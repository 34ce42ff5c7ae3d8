// x = LayerNorm(x + update), and x quantized for the product that follows. A workgroup a row.
@group(1) @binding(3) var<storage, read_write> quantized: array<u32>;
@group(1) @binding(4) var<storage, read_write> rows: array<vec2<u32>>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) li: u32) {
  add_norm(run.first + wg.x, li);
  quantize(run.first + wg.x, li);
}
