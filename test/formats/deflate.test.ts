/** Packed texts in a package's metadata, and what a hostile one can do. */
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { FormatError } from "../../src/errors.ts";
import { deflateText } from "../../src/formats/package/deflate.ts";
import { inflateText } from "../../src/formats/package/inflate.ts";

test("any text comes back; a repetitive one is short", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 2000 }), (text) => {
      assert.is(inflateText(deflateText(text)), text);
    }),
  );
  const long = "প্যারাসিটামল ".repeat(100_000);
  const packed = deflateText(long);
  assert.ok(packed.length < 20_000, `${packed.length}`);
  assert.is(inflateText(packed), long);
});

test("what no writer writes is a typed error, without memory for what it claims", () => {
  const good = deflateText("a text that is long enough to be cut short");
  const [length, base64] = good.split(":");
  const bad = [
    "",
    ":",
    base64,
    `-1:${base64}`,
    `1e3:${base64}`,
    `${length}:${base64.slice(0, -8)}`,
    `${length}:!!!!`,
    `${Number(length) + 1}:${base64}`,
    `${Number(length) - 1}:${base64}`,
    `4294967295:${base64}`,
    `100000000:${base64}`,
    `99999999999999999999:${base64}`,
    `${length}:${"A".repeat(base64.length)}`,
    `4:${deflateText("\u00e9\u00e9").split(":")[1].slice(0, 3)}A==`,
  ];
  for (const text of bad) {
    assert.throws(() => inflateText(text), (error: unknown) => {
      return error instanceof FormatError && error.code === "package/metadata";
    }, text);
  }
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 300 }),
      fc.base64String({ maxLength: 400 }),
      (n, text) => {
        try {
          inflateText(`${n}:${text}`);
        } catch (error) {
          assert.instance(error, FormatError);
        }
      },
    ),
  );
});

test.run();
