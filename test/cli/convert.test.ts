/**
 * `edge-ner convert` and `inspect`: an export to a package and what is in it.
 *
 * @module
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Emissions, loadBundle, Ner, readPackage, writePackage } from "../../mod.ts";
import { parseTags, typesOf } from "../../src/crf/scheme.ts";
import { replaceFile } from "../../src/cli/replace.ts";
import { shiftTypes } from "../../src/ner/shift.ts";
import { cli, fixture, scratch } from "./run.ts";
import type { Run } from "./run.ts";

const TINY = fixture("tiny-torchscript");
const TEXT = "জ্বর ও ব্যথায় প্যারাসিটামল, ডায়াবেটিসে মেটফরমিন ও ইনসুলিন দেওয়া হয়।";
const path = scratch();

async function ok(args: string[]): Promise<string> {
  const { code, stdout, stderr } = await cli(args);
  assert.is(stderr, "");
  assert.is(code, 0);
  return stdout;
}

function refused({ code, stdout, stderr }: Run, message: RegExp): void {
  assert.is(stdout, "");
  assert.match(stderr, /^edge-ner: [^\n]+\n$/);
  assert.match(stderr, message);
  assert.is(code, 2);
}

test("convert, inspect, extract: the package gives what the export gives", async () => {
  const output = path("tiny.safetensors");
  const report = await ok(["convert", TINY, "-o", output]);
  assert.match(report, /total\s+32,178/);
  assert.match(report, /Relative error of a quantized matrix/);
  assert.match(report, /emissions differ by a relative L2 of 0\.0\d+/);

  const info = JSON.parse(await ok(["inspect", output, "--json"]));
  assert.is(info.kind, "package");
  assert.is(info.dtype, "int8");
  assert.is(info.bytes, readFileSync(output).length);
  assert.is(info.parameters, 32_178);
  assert.is(info.architecture.layers, 2);
  assert.equal(info.labels.slice(0, 3), ["O", "B-MED", "I-MED"]);
  assert.is(info.tokenizer.vocabSize, 300);
  assert.equal(info.tokenizer.cls, { id: 2, piece: "[CLS]" });
  const word = info.tensors.find((t: { name: string }) => t.name === "embeddings.word.weight");
  assert.equal(word, {
    name: "embeddings.word.weight",
    dtype: "I8",
    shape: [300, 36],
    bytes: 10_800,
    parameters: 10_800,
  });
  const sum = info.parts.reduce((total: number, part: { bytes: number }) => total + part.bytes, 0);
  assert.is(sum, info.bytes);

  const extract = (model: string): Promise<string> =>
    ok(["extract", "--model", model, "--format", "jsonl", TEXT]);
  assert.is(await extract(output), await extract(TINY));
});

test("--lanes makes weights that keep a budget, --sample rounds them by text, and the report says what it cost", async () => {
  const [lanes, sampled, corpus] = [path("lanes"), path("sampled"), path("corpus.txt")];
  const words = TEXT.split(" "),
    lines = Array.from(
      { length: 300 },
      (_, i) => words.map((_, j) => words[(i * (j + 1) + j) % words.length]).join(" "),
    );
  writeFileSync(corpus, lines.join("\n"));
  const report = await ok(["convert", TINY, "-o", lanes, "--lanes", "181"]);
  assert.match(report, /Without a lane budget and samples: .* relative L2 of 0\.0\d+/);
  assert.equal(readPackage(readFileSync(lanes)).weights.lanes, { levels: 181, depth: 4 });
  const error = (text: string): number =>
    Number(/emissions differ by a relative L2 of ([\d.e-]+)/.exec(text)![1]);
  const better = await ok(["convert", TINY, "-o", sampled, "--lanes", "181", "--sample", corpus]);
  assert.ok(error(better) < error(report), `${error(better)} against ${error(report)}`);
  const again = readPackage(readFileSync(sampled)).weights;
  assert.equal(again.lanes, { levels: 181, depth: 4 });

  const plain = path("plain");
  await ok(["convert", TINY, "-o", plain]);
  refused(await cli(["convert", plain, "-o", path("x"), "--sample", corpus]), /int8 already/);
  refused(
    await cli(["convert", TINY, "-o", path("x"), "--dtype", "f32", "--lanes", "181"]),
    /--dtype int8/,
  );
  refused(await cli(["convert", TINY, "-o", path("x"), "--lanes", "0"]), /from 1 to 255/);
});

test("--shift raises the emissions of a type's labels, and of no other", async () => {
  const [plain, shifted] = [path("plain.safetensors"), path("shifted.safetensors")];
  await ok(["convert", TINY, "-o", plain]);
  await ok(["convert", TINY, "-o", shifted, "--shift", "MED=-0.5", "--shift", "DIS=1.25"]);
  const emissions = async (file: string): Promise<Emissions> => {
    const ner = await Ner.load(file);
    try {
      return await ner.emissions(TEXT);
    } finally {
      ner.close();
    }
  };
  const before = await emissions(plain), after = await emissions(shifted), { labels } = before;
  const want = (label: string): number => ({ MED: -0.5, DIS: 1.25 })[label.slice(2)] ?? 0;
  before.data.forEach((x, i) =>
    // Two additions in float32 for one: a rounding each of numbers below 8.
    assert.ok(Math.abs(after.data[i] - x - want(labels[i % labels.length])) < 1e-6)
  );
  // A temperature was fitted to other scores.
  const calibrated = { ...readPackage(readFileSync(plain)), temperature: 2 };
  assert.is(shiftTypes(calibrated, { MED: 1 }).temperature, undefined);
  for (const value of ["MED", "MED=", "=1", "MED=more"]) {
    refused(await cli(["convert", TINY, "-o", path("no"), "--shift", value]), /Expected TYPE=X/);
  }
  const twice = ["--shift", "toString=1", "--shift", "MED=1", "--shift", "MED=1"];
  refused(await cli(["convert", TINY, "-o", path("no"), ...twice]), /MED was moved by 1 before/);
  const unknown = await cli(["convert", TINY, "-o", path("no"), "--shift", "XYZ=1"]);
  refused(unknown, /no type "XYZ"; it has MED, /);
});

test("the report says what options decide, and what the package lost", async () => {
  const calibrated = path("calibrated.safetensors"), output = path("decided.safetensors");
  const model = { ...await loadBundle(TINY), wholeWords: true, temperature: 2 };
  writeFileSync(calibrated, writePackage(model));
  const report = async (...args: readonly string[]): Promise<string> =>
    await ok(["convert", calibrated, "-o", output, "--force", ...args]);
  assert.not.match(await report(), /By what|any more/);
  const types = typesOf(parseTags(model.weights.config.labels));
  const off = types.flatMap((type) => ["--shift", `${type}=-99`]);
  const text = await report(...off);
  const [, before, after, same] =
    /By what the options decide, on the built-in sentences: (\d+) entities before, (\d+) after, (\d+) the same/
      .exec(text)!;
  assert.ok(Number(before) > 5);
  assert.equal([after, same], ["0", "0"]);
  assert.match(text, /Not calibrated any more: the temperature 2 was fitted to other scores/);
  assert.not.match(text, /whole words any more/);
});

test("--whole-words says of a model what its entities are; --shift-unknown needs a dictionary", async () => {
  const output = path("words.safetensors");
  await ok(["convert", TINY, "-o", output, "--whole-words"]);
  assert.is(readPackage(readFileSync(output)).wholeWords, true);
  assert.is(JSON.parse(await ok(["inspect", output, "--json"])).wholeWords, true);
  // Once said, it stays with what is made of the package.
  const again = path("again.safetensors");
  await ok(["convert", output, "-o", again]);
  assert.is(readPackage(readFileSync(again)).wholeWords, true);
  const none = await cli(["convert", TINY, "-o", path("no"), "--shift-unknown", "MED=1"]);
  refused(none, /no dictionary of its own \(train --dictionary\)/);
});

test("--dtype f32 keeps every bit, and can be packed to int8 later", async () => {
  const [f32, one, two] = [path("f32.safetensors"), path("one"), path("two")];
  const report = await ok(["convert", TINY, "-o", f32, "--dtype", "f32"]);
  assert.match(report, /relative L2 of 0, at most 0;/);
  await ok(["convert", f32, "-o", one]);
  await ok(["convert", TINY, "-o", two]);
  assert.equal(readFileSync(one), readFileSync(two));
  refused(
    await cli(["convert", one, "-o", path("three"), "--dtype", "f32"]),
    /is int8 already/,
  );
});

test("an .onnx file of any name is converted with what lies beside it", async () => {
  const folder = path("renamed");
  cpSync(TINY, folder, { recursive: true });
  writeFileSync(`${folder}/student.onnx`, readFileSync(`${folder}/model.onnx`));
  rmSync(`${folder}/model.onnx`);
  await ok(["convert", `${folder}/student.onnx`, "-o", path("renamed.safetensors")]);
  await ok(["convert", folder, "-o", path("renamed-2.safetensors")]);
  assert.equal(
    readFileSync(path("renamed.safetensors")),
    readFileSync(path("renamed-2.safetensors")),
  );
});

test("an existing output is left alone without --force", async () => {
  const output = path("kept");
  writeFileSync(output, "precious");
  refused(await cli(["convert", TINY, "-o", output]), /kept: exists already; --force/);
  assert.is(readFileSync(output, "utf8"), "precious");
  await ok(["convert", TINY, "-o", output, "--force"]);
  readPackage(new Uint8Array(readFileSync(output)));
});

test("a failed conversion leaves nothing behind, and an old output as it was", async () => {
  const folder = path("cut");
  const out = path("out");
  cpSync(TINY, folder, { recursive: true });
  const onnx = readFileSync(`${folder}/model.onnx`);
  writeFileSync(`${folder}/model.onnx`, onnx.subarray(0, onnx.length >> 1));
  mkdirSync(out);
  writeFileSync(`${out}/old`, "old");
  refused(await cli(["convert", folder, "-o", `${out}/new`]), /onnx/);
  refused(await cli(["convert", folder, "-o", `${out}/old`, "--force"]), /onnx/);
  assert.equal(readdirSync(out), ["old"]);
  assert.is(readFileSync(`${out}/old`, "utf8"), "old");
});

test("a result that fails its check never gets its name, and is removed", async () => {
  const folder = path("checked");
  mkdirSync(folder);
  writeFileSync(`${folder}/old`, "old");
  for (const [name, force] of [["new", false], ["old", true]] as const) {
    let seen: Uint8Array | undefined;
    try {
      await replaceFile(`${folder}/${name}`, Uint8Array.of(1, 2, 3), {
        force,
        check(copy) {
          seen = copy;
          throw new Error("broken");
        },
      });
      assert.unreachable();
    } catch (error) {
      assert.is((error as Error).message, "broken");
    }
    assert.equal([...seen!], [1, 2, 3]);
    assert.equal(readdirSync(folder), ["old"]);
    assert.is(readFileSync(`${folder}/old`, "utf8"), "old");
  }
});

test("a file that appears meanwhile is not overwritten", async () => {
  const output = path("raced");
  try {
    await replaceFile(output, Uint8Array.of(1), {
      force: false,
      check: () => writeFileSync(output, "theirs"),
    });
    assert.unreachable();
  } catch (error) {
    assert.match((error as Error).message, /exists already/);
  }
  assert.is(readFileSync(output, "utf8"), "theirs");
});

test("outputs that cannot be written are refused before any work", async () => {
  mkdirSync(path("dir"), { recursive: true });
  refused(await cli(["convert", TINY]), /required option '-o, --output <file>'/);
  refused(await cli(["convert", TINY, "-o", path("dir")]), /is a folder/);
  refused(await cli(["convert", TINY, "-o", path("none/x")]), /none is not a folder/);
  refused(await cli(["convert", TINY, "-o", "/dev/null/x"]), /is not a folder/);
  refused(await cli(["convert", TINY, "-o", path("x"), "--dtype", "int4"]), /int4.*int8, f32/);
  assert.not(existsSync(path("x")));
});

test("--embeddings int4 halves the word embedding, and inspect tells", async () => {
  const [int8, int4] = [path("e8"), path("e4")];
  await ok(["convert", TINY, "-o", int8, "--embeddings", "int8"]);
  const report = await ok(["convert", TINY, "-o", int4, "--embeddings", "int4"]);
  assert.match(report, /word embedding +10,800 +43\.2 kB +6\.60 kB/);
  const info = JSON.parse(await ok(["inspect", int4, "--json"]));
  assert.equal([info.dtype, info.embeddings], ["int8", "int4"]);
  assert.is(info.architecture.embeddingSize, 36);
  assert.is(info.parameters, 32_178);
  const shown = await ok(["inspect", int4]);
  assert.match(shown, /^parameters +32,178, int8, word embedding int4$/m);
  assert.match(shown, /^embeddingSize +36$/m);
  assert.match(shown, /^embeddings\.word\.weight +U8 +300 x 18 +5,400$/m);

  // From a package that is int8 already, too.
  const again = path("e4-again");
  await ok(["convert", int8, "-o", again, "--embeddings", "int4"]);
  assert.is(JSON.parse(await ok(["inspect", again, "--json"])).embeddings, "int4");
  const run = (...args: string[]): Promise<Run> => cli(["convert", ...args, "-o", path("never")]);
  refused(await run(int4, "--embeddings", "int8"), /word embedding is int4 already/);
  refused(await run(int4, "--dtype", "f32"), /is int4 already; float32 cannot/);
  refused(await run(TINY, "--dtype", "f32", "--embeddings", "int4"), /--embeddings needs --dtype/);
  refused(await run(TINY, "--embeddings", "int2"), /int2.*int8, int4/);
  assert.not(existsSync(path("never")));
});

test("a package that is not its source any more is not left behind, unless it is forced", async () => {
  // Weights that int8 does not bear: of each row one column, whose input is always 0, is huge.
  const { weights, ...rest } = readPackage(writePackage(await loadBundle(TINY)));
  for (const { attentionNorm, up: { weight } } of weights.layers) {
    assert.is(weight.type, "f32");
    if (weight.type !== "f32") return;
    [attentionNorm.gamma[0], attentionNorm.beta[0]] = [0, 0];
    for (let r = 0; r < weight.rows; r++) weight.data[r * weight.columns] = 1e4;
  }
  const [source, output] = [path("outliers"), path("rounded-away")];
  writeFileSync(source, writePackage({ weights, ...rest }));
  const { code, stdout, stderr } = await cli(["convert", source, "-o", output]);
  assert.is(stdout, "");
  assert.match(stderr, /rounded-away: not written: .*relative L2 of [\d.]+, .*int8 .*at most 0.1/);
  assert.is(code, 1);
  assert.not(existsSync(output));
  await ok(["convert", source, "-o", output, "--force"]);
  assert.ok(existsSync(output));
  // As float32 it is what it was.
  await ok(["convert", source, "-o", path("as-it-was"), "--dtype", "f32"]);
});

test("--layers keeps the layers named, counted from 1", async () => {
  const [one, both, all] = [path("one-layer"), path("both"), path("all")];
  const report = await ok(["convert", TINY, "-o", one, "--layers", "2"]);
  assert.match(report, /attention +10,800 +43\.2 kB +6\.62 kB/);
  assert.is(JSON.parse(await ok(["inspect", one, "--json"])).architecture.layers, 1);
  await ok(["convert", TINY, "-o", both, "--layers", "1,2"]);
  await ok(["convert", TINY, "-o", all]);
  assert.equal(readFileSync(both), readFileSync(all));

  const run = (list: string): Promise<Run> =>
    cli(["convert", TINY, "-o", path("never"), "--layers", list]);
  refused(await run("3"), /no layer 3; its layers are 1 to 2/);
  refused(await run("0,1"), /no layer 0/);
  refused(await run("2,1"), /layer 1 comes after 2; expected ascending/);
  for (const list of ["", "1,", "a", "1-2", "1 2"]) {
    refused(await run(list), /Expected numbers of layers from 1 with commas/);
  }
});

test("--trim-vocab: the corpus's entities stay what they were, in a smaller file", async () => {
  const [whole, trimmed, corpus] = [path("whole"), path("trimmed"), path("corpus.txt")];
  writeFileSync(corpus, `${TEXT}\n\nইনসুলিন ২ বার\n`);
  await ok(["convert", TINY, "-o", whole]);
  const report = await ok(["convert", TINY, "-o", trimmed, "--trim-vocab", corpus]);
  assert.match(report, /\d+ of 300 word pieces kept, [\d.]+ kB saved:\n\d+ occur in the corpus/);
  assert.match(report, /^corpus +3 +(\d+) +\1 +0 +[\d.]+ % +[\d.]+ %$/m);
  assert.match(report, /^built-in sentences +12 /m);
  assert.match(report, /about [\d.]+ % of the tokens will be of dropped pieces/);
  assert.ok(readFileSync(trimmed).length < readFileSync(whole).length);
  const extract = (model: string): Promise<string> =>
    ok(["extract", "--model", model, "--format", "jsonl", "--file", corpus]);
  assert.is(await extract(trimmed), await extract(whole));

  // A package is trimmed as the export is.
  const again = path("trimmed-again");
  await ok(["convert", whole, "-o", again, "--trim-vocab", corpus]);
  assert.equal(readFileSync(again), readFileSync(trimmed));

  const pieces = async (...args: string[]): Promise<number> => {
    await ok(["convert", TINY, "-o", path("some"), "--force", "--trim-vocab", corpus, ...args]);
    const info = JSON.parse(await ok(["inspect", path("some"), "--json"]));
    assert.is(info.architecture.vocabSize, info.tokenizer.vocabSize);
    return info.tokenizer.vocabSize;
  };
  const [bare, usual, bengali] = [
    await pieces("--no-trim-singles"),
    await pieces(),
    await pieces("--trim-script", "bengali"),
  ];
  assert.ok(bare < usual && usual < bengali && bengali < 300, `${bare}, ${usual}, ${bengali}`);
});

test("trimming by what is not there is refused", async () => {
  writeFileSync(path("blank.txt"), " \n\n");
  const run = (...args: string[]): Promise<Run> =>
    cli(["convert", TINY, "-o", path("never"), ...args]);
  refused(await run("--trim-vocab", path("blank.txt")), /blank\.txt: there is no text in it/);
  refused(await run("--trim-vocab", path("gone.txt")), /gone\.txt: no such file/);
  mkdirSync(path("corpora"), { recursive: true });
  refused(await run("--trim-vocab", path("corpora")), /corpora: is a folder, not a file/);
  refused(await run("--trim-script", "Klingon"), /Klingon.*Known scripts are Latin, Greek/);
  refused(await run("--no-trim-singles"), /needs --trim-vocab or --trim-script/);
  assert.not(existsSync(path("never")));
});

test("what is no export is refused", async () => {
  const folder = path("incomplete");
  cpSync(TINY, folder, { recursive: true });
  for (const command of [["convert", "-o", path("never")], ["inspect"]]) {
    const run = (source: string): Promise<Run> => cli([...command, source]);
    refused(
      await run("no-such-folder"),
      /no file, folder or installed model is called no-such-folder; /,
    );
    refused(await run("./no-such-folder"), /Nothing is at \.\/no-such-folder; /);
    refused(await run(path("dir")), /holds no model\.onnx/);
    refused(await run(fixture("tokenizer-cases.json")), /safetensors/);
    rmSync(`${folder}/config.json`, { force: true });
    refused(await run(folder), /no config\.json/);
  }
  assert.not(existsSync(path("never")));
});

test("inspect shows an export: its files, architecture, labels and tensors", async () => {
  const shown = await ok(["inspect", TINY]);
  for (const part of [/model\.onnx, \d/, /hiddenSize\s+36/, /B-MED/, /CRF/, /\[CLS\] = 2/]) {
    assert.match(shown, part);
  }
  assert.match(shown, /layers\.1\.feed_forward\.up\.weight +F32 +52 x 36 +7,488\n/);
  assert.is(JSON.parse(await ok(["inspect", "--json", TINY])).kind, "export");
});

test.run();
