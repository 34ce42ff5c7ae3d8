// The sum of products of four signed bytes with four others.
fn dot4(a: u32, b: u32) -> i32 { return dot4I8Packed(a, b); }
