// x quantized for the product that follows. A workgroup a row.
@group(1) @binding(0) var<storage, read_write> quantized: array<u32>;
@group(1) @binding(1) var<storage, read_write> rows: array<vec2<u32>>;
@group(1) @binding(2) var<storage, read> x: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) li: u32) {
  quantize(run.first + wg.x, li);
}
