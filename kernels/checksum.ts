/**
 * What is asked of every byte of a model's file: its part in a checksum, and whether it is an int8 weight that no weight
 * may be.
 *
 * The checksum is XXH32 (Yann Collet, https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md), whose four
 * lanes are one vector; src/formats/package/checksums.ts has the rest of it, and the same in JavaScript. A process that
 * starts looks at each byte once, before an engine has made fast code of a loop in JavaScript; of a module it has it at once.
 */
const P1: i32 = <i32> 0x9e3779b1;
const P2: i32 = <i32> 0x85ebca77;

/**
 * Takes the stripes of 16 bytes from `p` to `end` into the four lanes at `lanes`; whether a byte among them is -128. Neither
 * address need be aligned.
 */
export function checksum_stripes(lanes: usize, p: usize, end: usize): i32 {
  const first = i32x4.splat(P1), second = i32x4.splat(P2), least = i8x16.splat(-128);
  let sums = v128.load(lanes), found = i8x16.splat(0);
  for (; p < end; p += 16) {
    const bytes = v128.load(p);
    found = v128.or(found, i8x16.eq(bytes, least));
    const sum = i32x4.add(sums, i32x4.mul(bytes, second));
    sums = i32x4.mul(v128.or(i32x4.shl(sum, 13), i32x4.shr_u(sum, 19)), first);
  }
  v128.store(lanes, sums);
  return i32(v128.any_true(found));
}
