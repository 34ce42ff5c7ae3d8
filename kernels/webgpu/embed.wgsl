// x = LayerNorm(word[id] + position[p]), the token type's row being in every position's. A workgroup a row.
//
// The table of words stays as it is stored, float32, int8 or int4. One that is larger than a binding may be lies in several
// buffers: a dispatch for each of them writes the rows whose ids it holds.
@group(1) @binding(0) var<storage, read_write> x: array<vec4<f32>>;
@group(1) @binding(1) var<storage, read> tokens: array<vec2<u32>>; // id, position
@group(1) @binding(2) var<storage, read> words: array<u32>; // rows of `width` vec4s
@group(1) @binding(3) var<storage, read> scales: array<f32>; // one a row; of float32 tables, none is read
@group(1) @binding(4) var<storage, read> positions: array<vec4<f32>>;
@group(1) @binding(5) var<storage, read> norm: array<vec4<f32>>; // gamma, then beta

// Vec4 number i of a row of the table.
fn word(row: u32, i: u32) -> vec4<f32> {
  let at = row * run.width + i;
  if (run.stored == 32u) {
    let w = 4u * at;
    return bitcast<vec4<f32>>(vec4<u32>(words[w], words[w + 1u], words[w + 2u], words[w + 3u]));
  }
  if (run.stored == 8u) {
    let bytes = vec4<i32>(bitcast<i32>(words[at]));
    return vec4<f32>((bytes << vec4<u32>(24u, 16u, 8u, 0u)) >> vec4<u32>(24u)) * scales[row];
  }
  // Two columns a byte, the even one in the low half, each stored as q + 8.
  let halves = vec4<u32>(words[at >> 1u] >> (16u * (at & 1u))) >> vec4<u32>(0u, 4u, 8u, 12u);
  return (vec4<f32>(halves & vec4<u32>(15u)) - 8.0) * scales[row];
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) li: u32) {
  let row = run.first + wg.x;
  let token = tokens[row];
  if (token.x < run.ids_from || token.x >= run.ids_to) { return; }
  let at = row * run.width;
  var sum = 0.0;
  for (var i = li; i < run.width; i += 64u) {
    let v = word(token.x - run.ids_from, i) + positions[token.y * run.width + i];
    x[at + i] = v;
    sum += dot(v, vec4<f32>(1.0));
  }
  normalize(at, sum, li);
}
