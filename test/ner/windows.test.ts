/** Windows over long texts: every token kept once, with context. */
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { windowsOf } from "../../src/ner/windows.ts";

test("kept parts cover every token once, inside their windows, with context on both sides", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 3000 }), fc.integer({ min: 1, max: 600 }), (n, size) => {
      const windows = windowsOf(n, size);
      let next = 0;
      for (const { start, end, keepStart, keepEnd } of windows) {
        assert.is(keepStart, next);
        assert.ok(start <= keepStart && keepStart < keepEnd && keepEnd <= end);
        assert.ok(end <= n && end - start <= size);
        const context = Math.floor(Math.floor(size / 4) / 2);
        assert.ok(keepStart === 0 || keepStart - start >= context, "left context");
        assert.ok(keepEnd === n || end - keepEnd >= context, "right context");
        next = keepEnd;
      }
      assert.is(next, n);
      if (n > 0 && n <= size) assert.is(windows.length, 1);
    }),
    { numRuns: 2000 },
  );
});

test.run();
