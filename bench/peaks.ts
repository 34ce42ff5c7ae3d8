// @ts-nocheck: AssemblyScript, compiled by mixes.ts when the benchmark runs.
/**
 * What one core can do at best, by instruction mix: loops of the kernels' arithmetic with all operands in
 * registers or the first-level cache, and nothing else.
 *
 * Operands are loaded from a moving address. Of operands that stay the same, an optimizing compiler takes
 * the products out of the loop (`i32x4.dot_i16x8_s` has no accumulator and is free to move) and the loop
 * then measures additions; and every product of a turn differs from every other, or it would be computed
 * once. As many accumulators as fit V8's 15 vector registers on x86 hide the latency.
 *
 * Each function makes n passes over {@link BYTES} bytes and returns something that depends on every sum.
 */

/** Eight int16 ones, as the kernels have them. */
const ONES: usize = memory.data<i16>([1, 1, 1, 1, 1, 1, 1, 1]);

// @ts-ignore: decorator

function widened(sums: v128, ones: v128): v128 {
  return i32x4.dot_i16x8_s(sums, ones);
}

// @ts-ignore: decorator

function pair(w: v128, x: v128): v128 {
  return i16x8.relaxed_dot_i8x16_i7x16_s(w, x);
}

// @ts-ignore: decorator

function four(a: v128, b: v128, c: v128, d: v128, x: v128, y: v128, z: v128, u: v128): v128 {
  return i16x8.add(i16x8.add(i16x8.add(pair(a, x), pair(b, y)), pair(c, z)), pair(d, u));
}

/** Where operands lie; above what the module itself uses. */
const START: usize = 32768;
/** Bytes of one pass; a small part of a first-level cache. */
const BYTES: usize = 2048;
const END: usize = START + BYTES;

/** Bytes of one pass, for counting operations. */
export function pass_bytes(): i32 {
  return <i32> BYTES;
}

/** Fills the operands: as int8 from -100 to 100, or as small floats of either width. */
export function fill(kind: i32): void {
  for (let i: usize = 0; i < BYTES; i += 8) {
    const v = <i32> ((i * 37 + 11) % 201) - 100;
    if (kind == 0) store<u64>(START + i, <u64> (v & 127) * 0x0101010101010101);
    else if (kind == 1) {
      store<f32>(START + i, <f32> v * 0.001);
      store<f32>(START + i, <f32> v * -0.002, 4);
    } else store<f64>(START + i, <f64> v * 0.001);
  }
}

function lanes(v: v128): i32 {
  return i32x4.extract_lane(v, 0) ^ i32x4.extract_lane(v, 1) ^ i32x4.extract_lane(v, 2) ^
    i32x4.extract_lane(v, 3);
}

function fold(a: v128, b: v128, c: v128, d: v128): v128 {
  return v128.xor(v128.xor(a, b), v128.xor(c, d));
}

/** The relaxed int8 dot with accumulation. 12 dots of 32 operations for every 32 bytes. */
export function dot4(n: i32): i32 {
  // Accumulators that begin alike and take the same operands could be one; these never are.
  let c0 = i32x4.splat(0), c1 = i32x4.splat(1), c2 = i32x4.splat(2), c3 = i32x4.splat(3);
  let c4 = i32x4.splat(4), c5 = i32x4.splat(5), c6 = i32x4.splat(6), c7 = i32x4.splat(7);
  let c8 = i32x4.splat(8), c9 = i32x4.splat(9), c10 = i32x4.splat(10), c11 = i32x4.splat(11);
  const x = v128.load(START);
  for (; n > 0; n--) {
    for (let p = START; p < END; p += 32) {
      const w0 = v128.load(p), w1 = v128.load(p, 16);
      c0 = i32x4.relaxed_dot_i8x16_i7x16_add_s(w0, x, c0);
      c1 = i32x4.relaxed_dot_i8x16_i7x16_add_s(w1, x, c1);
      c2 = i32x4.relaxed_dot_i8x16_i7x16_add_s(w0, x, c2);
      c3 = i32x4.relaxed_dot_i8x16_i7x16_add_s(w1, x, c3);
      c4 = i32x4.relaxed_dot_i8x16_i7x16_add_s(w0, x, c4);
      c5 = i32x4.relaxed_dot_i8x16_i7x16_add_s(w1, x, c5);
      c6 = i32x4.relaxed_dot_i8x16_i7x16_add_s(w0, x, c6);
      c7 = i32x4.relaxed_dot_i8x16_i7x16_add_s(w1, x, c7);
      c8 = i32x4.relaxed_dot_i8x16_i7x16_add_s(w0, x, c8);
      c9 = i32x4.relaxed_dot_i8x16_i7x16_add_s(w1, x, c9);
      c10 = i32x4.relaxed_dot_i8x16_i7x16_add_s(w0, x, c10);
      c11 = i32x4.relaxed_dot_i8x16_i7x16_add_s(w1, x, c11);
    }
  }
  return lanes(fold(fold(c0, c1, c2, c3), fold(c4, c5, c6, c7), fold(c8, c9, c10, c11), c0));
}

/** The relaxed dot of pairs, four of which are added up in 16 bits. 16 dots of 32 operations for every 64 bytes. */
export function pairs(n: i32): i32 {
  let c0 = i32x4.splat(0), c1 = c0, c2 = c0, c3 = c0;
  const x0 = v128.load(START), x1 = v128.load(START, 16);
  const x2 = v128.load(START, 32), x3 = v128.load(START, 48);
  const ones = v128.load(ONES);
  for (; n > 0; n--) {
    for (let p = START; p < END; p += 64) {
      const w0 = v128.load(p), w1 = v128.load(p, 16), w2 = v128.load(p, 32), w3 = v128.load(p, 48);
      c0 = i32x4.add(c0, widened(four(w0, w1, w2, w3, x0, x1, x2, x3), ones));
      c1 = i32x4.add(c1, widened(four(w0, w1, w2, w3, x1, x2, x3, x0), ones));
      c2 = i32x4.add(c2, widened(four(w0, w1, w2, w3, x2, x3, x0, x1), ones));
      c3 = i32x4.add(c3, widened(four(w0, w1, w2, w3, x3, x0, x1, x2), ones));
    }
  }
  return lanes(fold(c0, c1, c2, c3));
}

/** The int16 dot and an addition. 8 pairs of 16 operations for every 32 bytes. */
export function dot2(n: i32): i32 {
  let c0 = i32x4.splat(0), c1 = c0, c2 = c0, c3 = c0, c4 = c0, c5 = c0, c6 = c0, c7 = c0;
  const x0 = v128.load(START), x1 = v128.load(START, 16);
  const x2 = v128.load(START, 32), x3 = v128.load(START, 48);
  for (; n > 0; n--) {
    for (let p = START; p < END; p += 32) {
      const w0 = v128.load(p), w1 = v128.load(p, 16);
      c0 = i32x4.add(c0, i32x4.dot_i16x8_s(w0, x0)), c1 = i32x4.add(c1, i32x4.dot_i16x8_s(w1, x0));
      c2 = i32x4.add(c2, i32x4.dot_i16x8_s(w0, x1)), c3 = i32x4.add(c3, i32x4.dot_i16x8_s(w1, x1));
      c4 = i32x4.add(c4, i32x4.dot_i16x8_s(w0, x2)), c5 = i32x4.add(c5, i32x4.dot_i16x8_s(w1, x2));
      c6 = i32x4.add(c6, i32x4.dot_i16x8_s(w0, x3)), c7 = i32x4.add(c7, i32x4.dot_i16x8_s(w1, x3));
    }
  }
  return lanes(v128.xor(fold(c0, c1, c2, c3), fold(c4, c5, c6, c7)));
}

/** float32 multiplication and addition. 8 pairs of 8 operations for every 32 bytes. */
export function madd(n: i32): i32 {
  let c0 = f32x4.splat(0), c1 = c0, c2 = c0, c3 = c0, c4 = c0, c5 = c0, c6 = c0, c7 = c0;
  const x0 = v128.load(START), x1 = v128.load(START, 16);
  const x2 = v128.load(START, 32), x3 = v128.load(START, 48);
  for (; n > 0; n--) {
    for (let p = START; p < END; p += 32) {
      const w0 = v128.load(p), w1 = v128.load(p, 16);
      c0 = f32x4.add(c0, f32x4.mul(w0, x0)), c1 = f32x4.add(c1, f32x4.mul(w1, x0));
      c2 = f32x4.add(c2, f32x4.mul(w0, x1)), c3 = f32x4.add(c3, f32x4.mul(w1, x1));
      c4 = f32x4.add(c4, f32x4.mul(w0, x2)), c5 = f32x4.add(c5, f32x4.mul(w1, x2));
      c6 = f32x4.add(c6, f32x4.mul(w0, x3)), c7 = f32x4.add(c7, f32x4.mul(w1, x3));
    }
  }
  return lanes(v128.xor(fold(c0, c1, c2, c3), fold(c4, c5, c6, c7)));
}

/** A range and a scaling: max, min, two multiplications, three additions of 4 lanes for every 16 bytes. */
export function range(n: i32): i32 {
  let high0 = f32x4.splat(0),
    high1 = high0,
    low0 = high0,
    low1 = high0,
    zero0 = high0,
    zero1 = high0;
  let sum0 = high0, sum1 = high0;
  const x = v128.load(START), y = v128.load(START, 16), magic = f32x4.splat(12582912.0);
  for (; n > 0; n--) {
    for (let p = START; p < END; p += 32) {
      const a = v128.load(p), b = v128.load(p, 16);
      high0 = f32x4.pmax(high0, a), high1 = f32x4.pmax(high1, b);
      low0 = f32x4.pmin(low0, a), low1 = f32x4.pmin(low1, b);
      zero0 = f32x4.add(zero0, f32x4.mul(a, x)), zero1 = f32x4.add(zero1, f32x4.mul(b, x));
      sum0 = i32x4.add(sum0, f32x4.add(f32x4.mul(a, y), magic));
      sum1 = i32x4.add(sum1, f32x4.add(f32x4.mul(b, y), magic));
    }
  }
  return lanes(v128.xor(fold(high0, high1, low0, low1), fold(zero0, zero1, sum0, sum1)));
}

/**
 * x + x p(t) / q(t) with polynomials of degrees 6 and 4 of a clamped t, as GELU takes it: 29 operations of 4 lanes
 * for every 16 bytes. Two at once, step by step: a processor does not look ahead as far as from one to the next.
 */
export function gelu(n: i32): i32 {
  let c0 = f32x4.splat(0), c1 = c0;
  const k = v128.load(START), l = v128.load(START, 16);
  for (; n > 0; n--) {
    for (let i = START; i < END; i += 32) {
      let t0 = f32x4.mul(v128.load(i), k), t1 = f32x4.mul(v128.load(i, 16), k);
      t0 = f32x4.pmax(f32x4.pmin(t0, l), k), t1 = f32x4.pmax(f32x4.pmin(t1, l), k);
      const s0 = f32x4.mul(t0, t0), s1 = f32x4.mul(t1, t1);
      let p0 = f32x4.add(f32x4.mul(s0, k), l), p1 = f32x4.add(f32x4.mul(s1, k), l);
      let q0 = f32x4.add(f32x4.mul(s0, l), k), q1 = f32x4.add(f32x4.mul(s1, l), k);
      p0 = f32x4.add(f32x4.mul(s0, p0), l), p1 = f32x4.add(f32x4.mul(s1, p1), l);
      q0 = f32x4.add(f32x4.mul(s0, q0), k), q1 = f32x4.add(f32x4.mul(s1, q1), k);
      p0 = f32x4.add(f32x4.mul(s0, p0), k), p1 = f32x4.add(f32x4.mul(s1, p1), k);
      q0 = f32x4.add(f32x4.mul(s0, q0), l), q1 = f32x4.add(f32x4.mul(s1, q1), l);
      p0 = f32x4.add(f32x4.mul(s0, p0), l), p1 = f32x4.add(f32x4.mul(s1, p1), l);
      q0 = f32x4.add(f32x4.mul(s0, q0), k), q1 = f32x4.add(f32x4.mul(s1, q1), k);
      p0 = f32x4.add(f32x4.mul(s0, p0), k), p1 = f32x4.add(f32x4.mul(s1, p1), k);
      p0 = f32x4.add(f32x4.mul(s0, p0), l), p1 = f32x4.add(f32x4.mul(s1, p1), l);
      p0 = f32x4.div(f32x4.mul(p0, t0), q0), p1 = f32x4.div(f32x4.mul(p1, t1), q1);
      const h0 = f32x4.mul(v128.load(i), l), h1 = f32x4.mul(v128.load(i, 16), l);
      c0 = v128.xor(c0, f32x4.add(f32x4.mul(h0, p0), h0));
      c1 = v128.xor(c1, f32x4.add(f32x4.mul(h1, p1), h1));
    }
  }
  return lanes(v128.xor(c0, c1));
}

/** Sums of products with an exp and a log for every 13: what a step of the CRF does for each of 13 labels. */
export function sums(n: i32): i32 {
  let s0: f64 = 0, s1: f64 = 1, s2: f64 = 2, s3: f64 = 3, exps: f64 = 0, logs: f64 = 0;
  for (; n > 0; n--) {
    for (let p = START; p < END; p += 32) {
      const a = load<f64>(p), b = load<f64>(p, 8), c = load<f64>(p, 16), d = load<f64>(p, 24);
      s0 += a * b, s1 += a * c, s2 += a * d, s3 += b * c;
      s0 += b * d, s1 += c * d, s2 += a * a, s3 += b * b;
      s0 += c * c, s1 += d * d, s2 += c * d, s3 += a * d, s0 += d * d;
      exps += Math.exp(a), logs += Math.log(b * b + 1.0);
    }
  }
  return <i32> reinterpret<i64>(s0 + s1 + s2 + s3 + exps + logs);
}

/** float64 addition, comparison and conditional replacement, scalar. 2 operations for every 8 bytes. */
export function best(n: i32): i32 {
  let best0 = -Infinity, best1 = best0, best2 = best0, best3 = best0;
  let from0 = 0, from1 = 0, from2 = 0, from3 = 0;
  const x = load<f64>(START);
  for (; n > 0; n--) {
    for (let p = START, i = 0; p < END; p += 32, i++) {
      const a = load<f64>(p) + x, b = load<f64>(p, 8) + x;
      const c = load<f64>(p, 16) + x, d = load<f64>(p, 24) + x;
      if (a > best0) best0 = a, from0 = i;
      if (b > best1) best1 = b, from1 = i;
      if (c > best2) best2 = c, from2 = i;
      if (d > best3) best3 = d, from3 = i;
    }
  }
  return from0 ^ from1 ^ from2 ^ from3;
}
