/**
 * IEEE 754 half precision, which JavaScript engines only learn to read by now.
 *
 * @module
 */

/** The number that these 16 bits are: exact. */
export function float16ToNumber(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  // 2^(exponent - 25), built by shifts: exponent - 25 is between -25 and 5.
  if (exponent === 0) return sign * fraction / (1 << 24);
  const scaled = (1024 + fraction) * (1 << exponent);
  return sign * scaled / (1 << 25);
}
