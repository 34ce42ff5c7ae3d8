/**
 * What a student gains over its teacher at the sizes of arXiv 2605.25463: twelve layers of width 768 in float32, and layers
 * 1, 5, 9 and 12 of them in int8.
 *
 * `deno run -A bench/teacher.ts [--seconds N] [--lengths 32,64,128] [--threads 1|2]`
 *
 * Random weights, one sequence at a time, all taking turns: teacher and student on our kernels, and the teacher on
 * onnxruntime-web. The paper tells 8.6 for its teacher in float32 over its student in int8, both on ONNX Runtime. The
 * vocabulary is cut to 8,192 pieces, on which time does not depend; `paper_student.ts` tells what packages weigh.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { LANE_DEPTH, quantizeEncoder } from "../mod.ts";
import type { PackedBatch } from "../src/backend/backend.ts";
import { encode } from "../src/backend/encoder.ts";
import { table } from "../src/cli/table.ts";
import { encoderToOnnx } from "../src/formats/onnx/write_encoder.ts";
import { processor } from "./inside.ts";
import { type Candidate, ms, takeTurns, warmUp } from "./measure.ts";
import { randomInt8Weights, SHAPES } from "./models.ts";
import { ortWeb } from "./ort.ts";
import { openOurs } from "./ours.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "20" },
    lengths: { type: "string", default: "32,64,128" },
    threads: { type: "string", default: "1" },
  },
});
const threads = Number(values.threads), lengths = values.lengths.split(",").map(Number);

/** Levels of the student's lane budget: those of weights that no sample text has rounded. */
const LEVELS = 181;

const teacher = randomInt8Weights({ ...SHAPES.paper, layers: 12, vocabSize: 8192 });
const layers = [1, 5, 9, 12].map((layer) => teacher.layers[layer - 1]!);
const { weights: student } = quantizeEncoder(
  { ...teacher, config: { ...teacher.config, layers: 4 }, layers },
  { lanes: { levels: LEVELS, depth: LANE_DEPTH } },
);

const longest = Math.max(...lengths), ours = await openOurs(threads);
const slow = await ours.encoder(teacher, "fp32", longest);
const fast = await ours.encoder(student, "int8", longest);
const engine = await ortWeb(threads);
const session = await engine.open(encoderToOnnx(teacher, { int8: false }));

function candidates(length: number): Candidate[] {
  const ids = Int32Array.from({ length }, (_, i) => (i * 7919 + 5) % teacher.config.vocabSize);
  const batch: PackedBatch = { ids, offsets: Int32Array.of(0, length) },
    input = session.input(batch);
  return [
    { name: "teacher, float32", run: () => encode(slow, batch) },
    { name: "student, int8", run: () => encode(fast, batch) },
    { name: `teacher, float32, ${engine.name}`, run: () => session.run(input) },
  ];
}

console.log(`${processor()}, ${ours.name}, ${ours.version}`);
await warmUp(candidates(longest), 3);
const rows: string[][] = [];
for (const length of lengths) {
  const timings = await takeTurns(candidates(length), {
    seconds: Number(values.seconds),
    minRounds: 3,
    warmUp: 0,
  });
  const [own, small, other] = timings.map(({ median }) => median) as [number, number, number];
  rows.push([
    ...[String(length), ms(own), ms(small), ms(other)],
    ...[(own / small).toFixed(1), (other / small).toFixed(1)],
  ]);
}
console.log(table(
  ["tokens", "teacher, ms", "student, ms", "teacher on ort-web, ms", "speed-up", "over ort-web's"],
  rows,
));
await session.close();
slow.close();
fast.close();
