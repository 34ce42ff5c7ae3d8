/**
 * Numbers from a file's bytes, little-endian: as a view where that can be, or widened from 16 bits, which
 * is exact. IEEE 754 half precision is done by hand, since JavaScript engines only learn to read it by now.
 *
 * Weak: assumes a little-endian host, as WebAssembly does.
 *
 * @module
 */

/** float32: a view where the bytes are aligned to four, a copy where they are not. */
export function viewFloat32(bytes: Uint8Array): Float32Array {
  return bytes.byteOffset % 4 === 0
    ? new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
    // The constructor copies; slice() would not, where the bytes are a Node Buffer.
    : new Float32Array(new Uint8Array(bytes).buffer);
}

/** Integers of 32 bits, in the same way. */
export function viewInt32(bytes: Uint8Array): Int32Array {
  return bytes.byteOffset % 4 === 0
    ? new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
    : new Int32Array(new Uint8Array(bytes).buffer);
}

/** Integers of 16 bits, in the same way. */
export function viewUint16(bytes: Uint8Array): Uint16Array {
  return bytes.byteOffset % 2 === 0
    ? new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2)
    : new Uint16Array(new Uint8Array(bytes).buffer);
}

/** bfloat16, which is float32's upper half. */
export function widenBfloat16(bytes: Uint8Array): Float32Array {
  const bits = new Uint32Array(bytes.length / 2);
  for (let i = 0; i < bits.length; i++) bits[i] = (bytes[2 * i]! | bytes[2 * i + 1]! << 8) << 16;
  return new Float32Array(bits.buffer);
}

/** IEEE 754 half precision. */
export function widenFloat16(bytes: Uint8Array): Float32Array {
  const values = new Float32Array(bytes.length / 2);
  for (let i = 0; i < values.length; i++) {
    values[i] = float16ToNumber(bytes[2 * i]! | bytes[2 * i + 1]! << 8);
  }
  return values;
}

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
