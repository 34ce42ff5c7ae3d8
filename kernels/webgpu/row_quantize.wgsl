// One row of x to int8, to the same integers as kernels/rows.ts and the families' quantizers give: real = scale * (q - zero
// point), q from 0 to `levels`, stored as q - 128.
//
// WGSL's division may be off by 2.5 ulp, and any product and sum may be fused. So quotients are divided out in integers, and
// rounding looks at the bits of a product, into which nothing can be fused. A NaN, which comparisons may overlook, is found
// by its exponent.
var<workgroup> partial_bits: array<vec3<u32>, 64>;
// 1 / step and its zero point, for all threads.
var<workgroup> shared_inverse: f32;
var<workgroup> shared_zero: u32;

// num / den correctly rounded, of positive floats whose quotient is neither subnormal nor infinite.
fn ratio(num: f32, den: f32) -> f32 {
  let n = bitcast<u32>(num);
  let d = bitcast<u32>(den);
  let divisor = (d & 0x7fffffu) | 0x800000u;
  var rest = (n & 0x7fffffu) | 0x800000u;
  var exponent = (n >> 23u) + 127u - (d >> 23u);
  if (rest < divisor) {
    rest = rest << 1u;
    exponent -= 1u;
  }
  var q = 0u;
  for (var i = 0u; i < 24u; i++) {
    q = q << 1u;
    if (rest >= divisor) {
      q |= 1u;
      rest -= divisor;
    }
    rest = rest << 1u;
  }
  if (rest > divisor || (rest == divisor && (q & 1u) == 1u)) { q += 1u; }
  return bitcast<f32>((exponent << 23u) + q - 0x800000u);
}

// product + zero, rounded half to even and clamped to 0 .. levels.
fn nearest(product: f32, zero: u32) -> u32 {
  let bits = bitcast<u32>(product);
  let exponent = (bits >> 23u) & 255u;
  let negative = (bits >> 31u) == 1u;
  if (exponent < 126u) { return zero; }
  if (exponent > 135u) { return select(run.levels, 0u, negative); }
  // In units of the mantissa's last place.
  let places = 150u - exponent;
  let mantissa = (bits & 0x7fffffu) | 0x800000u;
  let base = zero << places;
  var sum = base + mantissa;
  if (negative) {
    if (mantissa > base) { return 0u; }
    sum = base - mantissa;
  }
  let q = sum >> places;
  let rest = sum & ((1u << places) - 1u);
  let half = 1u << (places - 1u);
  return min(q + select(0u, 1u, rest > half || (rest == half && (q & 1u) == 1u)), run.levels);
}

fn largest_of(v: vec4<u32>) -> u32 { return max(max(v.x, v.y), max(v.z, v.w)); }

// Quantizes row number `row` of x, of which every thread has written its own vec4s.
fn quantize(row: u32, li: u32) {
  let at = row * run.width;
  // Of floats of one sign the larger one has the larger bits.
  var high = vec4<u32>(0u);
  var low = vec4<u32>(0u);
  var any = vec4<u32>(0u);
  for (var i = li; i < run.width; i += 64u) {
    let bits = bitcast<vec4<u32>>(x[at + i]);
    let size = bits & vec4<u32>(0x7fffffffu);
    high = max(high, select(size, vec4<u32>(0u), size != bits));
    low = max(low, select(vec4<u32>(0u), size, size != bits));
    any = max(any, size);
  }
  partial_bits[li] = vec3<u32>(largest_of(high), largest_of(low), largest_of(any));
  workgroupBarrier();
  for (var half = 32u; half > 0u; half = half >> 1u) {
    if (li < half) { partial_bits[li] = max(partial_bits[li], partial_bits[li + half]); }
    workgroupBarrier();
  }
  if (li == 0u) {
    let found = partial_bits[0];
    let below = bitcast<f32>(found.y);
    let range = min(max(bitcast<f32>(found.x) + below, 1e-30), 3e38);
    let levels = f32(run.levels);
    let inverse = ratio(levels, range);
    let zero = nearest(below * inverse, 0u);
    shared_inverse = inverse;
    shared_zero = zero;
    // A row that holds a NaN or an infinity gets scale NaN, written as bits: as a constant it is an error.
    let scale = select(bitcast<u32>(ratio(range, levels)), 0x7fc00000u, found.z >= 0x7f800000u);
    rows[row] = vec2<u32>(scale, zero - 128u);
  }
  workgroupBarrier();
  let inverse = shared_inverse;
  let zero = shared_zero;
  for (var i = li; i < run.width; i += 64u) {
    let p = x[at + i] * inverse;
    let q = nearest(p.x, zero) | (nearest(p.y, zero) << 8u) | (nearest(p.z, zero) << 16u) | (nearest(p.w, zero) << 24u);
    quantized[at + i] = q ^ 0x80808080u;
  }
}
