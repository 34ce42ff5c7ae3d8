/**
 * Float32 to half precision (IEEE 754 binary16), for runtimes without a `Float16Array`.
 *
 * @module
 */

const floats = new Float32Array(1), bits = new Uint32Array(floats.buffer);

/** The bits of the nearest half, ties to even; what is too large is infinite. */
export function toHalf(value: number): number {
  floats[0] = value;
  const sign = (bits[0] >>> 16) & 0x8000, size = bits[0] & 0x7fffffff;
  if (size > 0x7f800000) return sign | 0x7e00;
  // 65,520 and more round to what there is no half for.
  if (size >= 0x477ff000) return sign | 0x7c00;
  // Below 2^-14 halves are multiples of 2^-24.
  if (size < 0x38800000) {
    const steps = Math.abs(floats[0]) * 2 ** 24, down = Math.floor(steps), rest = steps - down;
    return sign | (down + (rest > 0.5 || (rest === 0.5 && down % 2 === 1) ? 1 : 0));
  }
  const half = (size - 0x38000000) >>> 13, rest = size & 0x1fff;
  return sign | (half + (rest > 0x1000 || (rest === 0x1000 && half % 2 === 1) ? 1 : 0));
}
