// The sum of products of four signed bytes with four others, for a language without packed_4x8_integer_dot_product.
fn bytes(v: u32) -> vec4<i32> {
  return (vec4<i32>(bitcast<i32>(v)) << vec4<u32>(24u, 16u, 8u, 0u)) >> vec4<u32>(24u);
}
fn dot4(a: u32, b: u32) -> i32 { return dot(bytes(a), bytes(b)); }
