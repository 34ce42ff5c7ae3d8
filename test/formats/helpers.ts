/**
 * What the tests of formats share: fixtures, and the assertion that an error is a typed one.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import * as assert from "uvu/assert";
import { NerError } from "../../src/errors.ts";
import type {
  EncoderWeights,
  F32Matrix,
  LinearWeights,
  NormWeights,
} from "../../src/model/weights.ts";

/** Bytes of a file beside these tests. */
export function local(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`./fixtures/${name}`, import.meta.url)));
}

/** Bytes of a file of the fixtures that all tests share. */
export function shared(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`../fixtures/${name}`, import.meta.url)));
}

/** UTF-8 bytes as text. */
export function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** Runs `f`, which must throw a typed error with this code and a message that matches. */
export function throwsCode(f: () => unknown, code: string, message?: RegExp): void {
  let error: unknown;
  try {
    f();
  } catch (caught) {
    error = caught;
  }
  if (!(error instanceof NerError)) {
    const what = error instanceof Error ? error.stack : "nothing";
    throw new Error(`expected a NerError ${code}, got ${what}`);
  }
  assert.is(error.code, code, error.message);
  if (message !== undefined) assert.match(error.message, message);
}

/** Runs `f`; true when it returned, false when it threw a typed error. Anything else is thrown on. */
export function returnsOrTyped(f: () => unknown): boolean {
  try {
    f();
    return true;
  } catch (error) {
    if (error instanceof NerError) return false;
    throw error;
  }
}

/** Every float of an encoder by role, for comparing two of them bit for bit. */
export function floatsOf(weights: EncoderWeights): Record<string, Float32Array> {
  const all: Record<string, Float32Array> = {};
  const linear = (name: string, { weight, bias }: LinearWeights): void => {
    all[`${name}.weight`] = (weight as F32Matrix).data;
    all[`${name}.bias`] = bias;
  };
  const norm = (name: string, { gamma, beta }: NormWeights): void => {
    all[`${name}.gamma`] = gamma;
    all[`${name}.beta`] = beta;
  };
  all["word"] = (weights.wordEmbedding as F32Matrix).data;
  all["position"] = (weights.positionEmbedding as F32Matrix).data;
  if (weights.typeEmbedding) all["type"] = (weights.typeEmbedding as F32Matrix).data;
  norm("embeddings", weights.embeddingNorm);
  weights.layers.forEach((layer, i) => {
    linear(`${i}.qkv`, layer.qkv);
    linear(`${i}.attention`, layer.attentionOutput);
    norm(`${i}.attention.norm`, layer.attentionNorm);
    linear(`${i}.up`, layer.up);
    linear(`${i}.down`, layer.down);
    norm(`${i}.down.norm`, layer.feedForwardNorm);
  });
  if (weights.headDense) linear("head.dense", weights.headDense);
  linear("classifier", weights.classifier);
  return all;
}

/** Asserts that two encoders hold the same bits in every tensor. */
export function sameBits(
  actual: Record<string, Float32Array>,
  expected: Record<string, Float32Array>,
): void {
  assert.equal(Object.keys(actual).sort(), Object.keys(expected).sort());
  for (const [name, values] of Object.entries(expected)) {
    const bits = (x: Float32Array): Uint32Array => new Uint32Array(x.slice().buffer);
    const a = bits(actual[name]!);
    const e = bits(values);
    assert.is(a.length, e.length, name);
    assert.is(a.findIndex((x, i) => x !== e[i]), -1, `${name} differs`);
  }
}

/** Bits of a number cut to half precision; too small ones become 0. */
export function halfBits(value: number): number {
  const [bits] = new Uint32Array(Float32Array.of(value).buffer) as unknown as [number];
  const exponent = ((bits >>> 23) & 255) - 112;
  const sign = (bits >>> 16) & 0x8000;
  if (exponent <= 0) return sign;
  return exponent > 30 ? sign | 0x7c00 : sign | exponent << 10 | (bits >>> 13) & 1023;
}

/** A package's metadata without its checksums, which would be the first to see that a test has changed it. */
export function unchecked(metadata: ReadonlyMap<string, string>): Record<string, string> {
  const { xxh32: _, ...rest } = Object.fromEntries(metadata);
  return rest;
}
