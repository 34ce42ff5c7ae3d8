/**
 * Mutants of the text files beside a model: tokenizer.json, vocab.txt, tokenizer_config.json, config.json.
 *
 * Besides what {@link mutateJson} does to any JSON, a tokenizer gets parts that are legal somewhere else:
 * other normalizers and pre-tokenizers, nested, with text that grows or vanishes, and regular expressions
 * that are slow in other engines; added tokens that overlap, are empty, are white space, or normalize to
 * one another.
 *
 * @module
 */
import { mutateBytes } from "./bytes.ts";
import { at, mutateJson, type Node, Raw, textOf, treeOf } from "./json.ts";
import type { Random } from "./random.ts";

const STRINGS = [
  ..."a b ab aa ## ##a [ ] [SEP] [UNK] i \u0130 \u00df \ufb03 \ufdfa \u1e9b\u0323".split(" "),
  ..."\u0995\u09cb \u09c7\u09be \u4e2d \ud83d\ude00 \u0344 \u0301\u0301 \uac00".split(" "),
  "",
  " ",
  "\0",
  "\u200d",
  "\ud800",
  "a".repeat(5000),
];

/** Expressions that make engines which only go back take for ever, or that are not read at all. */
const REGEXES = [
  "(a+)+$",
  "(a|a)*b",
  "a*a*a*a*b|a",
  "a?".repeat(30) + "a{30}b|a",
  "(?=a{1,60}b)a|.",
  String.raw`(?:\s+)+x|\s*[\r\n]+|\s`,
  String
    .raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s+(?!\S)|\s+`,
  "",
  "^",
  "(?:(?:a{9}){9}){9}",
  "a{1000}",
  "(".repeat(500),
  "[a-".repeat(50),
  "[^".repeat(17),
  String.raw`[\p{L}&&[^a-z]&&\w]++`,
  String.raw`\p{^Lu}\P{^M}\x{10ffff}`,
  "|".repeat(2000),
  "(a)\\1",
  "\ud800",
];

/** An expression: one of those, or one of parts that are mostly read. */
function regex(random: Random, depth = 0): string {
  if (depth === 0 && random.once(4)) return random.pick(REGEXES);
  let text = "";
  for (let n = 1 + random.int(4); n > 0; n--) {
    text += random.once(depth > 3 ? 1000 : 4)
      ? random.pick(["(", "(?:", "(?i:", "(?=", "(?!", "(?<=", "(?>"]) + regex(random, depth + 1) +
        ")"
      : random.pick([
        ..."a b . ^ $ \\s \\S \\w \\d \\b \\A \\z \\p{L} \\P{N} \\p{Han} [ab] [^a\\s] [a-\uffff] [[ab]&&a] \\"
          .split(" "),
        random.pick(STRINGS.slice(0, -1)),
      ]);
    text += random.pick([
      "",
      "",
      "",
      "*",
      "+",
      "?",
      "{2}",
      "{1,3}",
      "{40}",
      "{2,}",
      "*?",
      "++",
      "|",
    ]);
  }
  return text;
}

/** A `pattern` of Replace and Split. */
function pattern(random: Random): unknown {
  return random.once(2) ? { Regex: regex(random) } : { String: random.pick(STRINGS) };
}

function normalizer(random: Random, depth: number): unknown {
  const type = random.pick([
    ..."NFC NFD NFKC NFKD Lowercase Strip StripAccents Replace Replace Replace".split(" "),
    ..."BertNormalizer Sequence Sequence Precompiled Prepend Nmt".split(" "),
  ]);
  if (type === "Sequence") {
    if (random.once(8)) return bomb(random);
    if (random.once(20)) return nested("normalizers", random.pick([10, 17, 18, 5000]));
    const count = depth > 2 ? 0 : random.once(20) ? 200 : random.int(5);
    const normalizers = Array.from({ length: count }, () => normalizer(random, depth + 1));
    return { type, normalizers };
  }
  const flag = (): unknown => random.once(12) ? random.pick([null, 0, "true"]) : random.once(2);
  return {
    type,
    strip_left: flag(),
    strip_right: flag(),
    clean_text: flag(),
    handle_chinese_chars: flag(),
    lowercase: flag(),
    strip_accents: random.once(3) ? null : flag(),
    pattern: pattern(random),
    content: random.pick(STRINGS),
    prepend: random.pick(STRINGS),
  };
}

/** Each step makes a text longer; together they make more of a letter than any memory holds. */
function bomb(random: Random): unknown {
  const [old, content] = random.pick(
    [["a", "aa"], ["b", "a".repeat(5000)], [" ", "\u4e2d"]] as const,
  );
  const step = { type: "Replace", pattern: { String: old }, content };
  const clean = { clean_text: true, handle_chinese_chars: true };
  const bert = { type: "BertNormalizer", ...clean, strip_accents: false, lowercase: false };
  const count = random.pick([3, 10, 40]);
  const back = { type: "Replace", pattern: { String: "aaaa" }, content: "bbbb" };
  return {
    type: "Sequence",
    normalizers: Array.from({ length: count }, () => [step, back, bert]).flat(),
  };
}

function nested(field: string, depth: number): Raw {
  const open = `{"type":"Sequence","${field}":[`;
  return new Raw(open.repeat(depth) + "null" + "]}".repeat(depth));
}

function preTokenizer(random: Random, depth: number): unknown {
  const type = random.pick([
    ..."BertPreTokenizer Whitespace WhitespaceSplit Punctuation Punctuation Digits Split Split Split"
      .split(" "),
    ..."CharDelimiterSplit UnicodeScripts ByteLevel Metaspace Sequence Sequence FixedLength".split(
      " ",
    ),
  ]);
  if (type === "Sequence" && random.once(20)) {
    return nested("pretokenizers", random.pick([16, 17, 18, 5000]));
  }
  const pretokenizers = Array.from(
    { length: depth > 2 ? 0 : random.int(4) },
    () => preTokenizer(random, depth + 1),
  );
  return {
    type,
    pretokenizers,
    behavior: random.pick([
      ..."Isolated Removed Contiguous MergedWithPrevious MergedWithNext Other".split(" "),
    ]),
    pattern: pattern(random),
    individual_digits: random.once(2),
    delimiter: random.pick(STRINGS),
    replacement: random.pick(["\u2581", "", "ab", "\ud83d\ude00"]),
    prepend_scheme: random.pick(["always", "never", "first", ""]),
    add_prefix_space: random.once(2),
    split: random.once(2),
    invert: random.once(2),
    use_regex: random.once(2),
    trim_offsets: random.once(2),
  };
}

function addedToken(random: Random, id: number): unknown {
  const flag = (): boolean => random.once(2);
  return {
    id,
    content: random.pick(STRINGS),
    single_word: flag(),
    lstrip: flag(),
    rstrip: flag(),
    normalized: flag(),
    special: flag(),
  };
}

function replace(root: Node, key: string, value: unknown): void {
  if (root.kind !== "object") return;
  const node = treeOf(value);
  root.entries = root.entries.map(([k, v]) => [k, k === key ? node : v]);
}

function growVocab(random: Random, root: Node): void {
  const model = at(root, "model"), vocab = model && at(model, "vocab");
  if (vocab?.kind !== "object") return;
  let id = vocab.entries.length;
  for (let n = random.size(50); n > 0; n--) {
    const piece = random.pick(STRINGS) + (random.once(2) ? random.pick(STRINGS) : "");
    const text = random.once(10) ? String(random.pick([2097151, 65536, 0, id + 7])) : String(id++);
    vocab.entries.push([random.once(3) ? `##${piece}` : piece, { kind: "text", text }]);
  }
}

/** What only BPE and Unigram have: merges, scores, and a table of replacements in base64. */
function mutateSubword(random: Random, root: Node): void {
  const model = at(root, "model");
  if (model?.kind !== "object") return;
  const put = (node: Node, index: number, value: unknown): void => {
    if (node.kind === "array") node.items.splice(index, random.int(2), treeOf(value));
  };
  const merges = at(model, "merges"),
    vocab = at(model, "vocab"),
    normalizer = at(root, "normalizer");
  const raw = (text: string): Raw => new Raw(text);
  if (merges?.kind === "array") {
    const [a, b] = [random.pick(STRINGS), random.pick(STRINGS)];
    for (let n = random.size(20); n > 0; n--) {
      const merge = random.pick([`${a} ${b}`, [a, b], a, [a], [a, b, a], `${a} ${b} `, null, 7]);
      put(merges, random.int(merges.items.length), merge);
    }
  }
  if (vocab?.kind === "array") {
    const score = random.pick([
      "1e308",
      "-1e308",
      "1e999",
      "0",
      "-0",
      "null",
      '"x"',
      "5",
      "-1e-320",
    ]);
    for (let n = random.size(20); n > 0; n--) {
      const entry = random.pick([[random.pick(STRINGS), raw(score)], [raw(score)], raw(score), []]);
      put(vocab, random.int(vocab.items.length), entry);
    }
  }
  const fields = "unk_id byte_fallback fuse_unk dropout end_of_word_suffix ignore_merges unk_token";
  const field = random.pick(fields.split(" "));
  if (random.once(2)) {
    replace(model, field, random.pick([null, 0, 1, -1, 1e9, true, "", "a", "\ud800", 0.5, "</w>"]));
  }
  if (normalizer === undefined || random.once(2)) return;
  const text = textOf(normalizer), map = /"precompiled_charsmap":"([^"]*)"/.exec(text);
  if (map === null) return;
  const bytes = Uint8Array.from(atob(map[1]!), (c) => c.charCodeAt(0));
  const spoilt = mutateBytes(random, bytes).subarray(0, 1 << 20);
  let binary = "";
  for (const byte of spoilt) binary += String.fromCharCode(byte);
  const base64 = random.once(6) ? random.pick(["", "=", "A", "AA==A", "\u0985"]) : btoa(binary);
  replace(root, "normalizer", raw(text.replace(map[1]!, () => base64)));
}

/** A mutant of a tokenizer.json; one in three keeps to what some tokenizer could have. */
export function mutateTokenizer(random: Random, json: string): Uint8Array {
  if (random.once(3)) return mutateJson(random, json);
  const parsed = JSON.parse(json) as { model: { vocab: object }; added_tokens?: unknown[] };
  const root = treeOf(parsed);
  if (random.once(2)) mutateSubword(random, root);
  if (random.once(2)) replace(root, "normalizer", normalizer(random, 0));
  if (random.once(3)) replace(root, "pre_tokenizer", preTokenizer(random, 0));
  if (random.once(3)) growVocab(random, root);
  if (random.once(3)) {
    let id = Object.keys(parsed.model.vocab).length;
    const more = Array.from({ length: random.int(6) }, () => addedToken(random, id++));
    const kept = parsed.added_tokens ?? [];
    replace(root, "added_tokens", random.once(4) ? more : [...kept, ...more]);
  }
  const model = at(root, "model");
  if (model?.kind === "object" && random.once(4)) {
    const prefix = random.pick(["", "##", "#", "\ud800", "a", "##".repeat(1000)]);
    replace(model, "continuing_subword_prefix", prefix);
    replace(model, "max_input_chars_per_word", random.pick([0, 1, 3, 100, 2 ** 53 - 1]));
  }
  const text = textOf(root);
  return random.once(3) ? mutateJson(random, text) : new TextEncoder().encode(text);
}

/** A mutant of a vocab.txt. */
export function mutateVocab(random: Random, text: string): Uint8Array {
  let lines = text.split("\n");
  for (let n = random.size(6); n > 0; n--) {
    const index = random.int(lines.length);
    switch (random.int(7)) {
      case 0:
        lines[index] = random.pick(STRINGS);
        break;
      case 1:
        lines.splice(index, 1 + random.int(8));
        break;
      case 2:
        lines.splice(index, 0, lines[random.int(lines.length)] ?? "");
        break;
      case 3:
        lines[index] = (lines[index] ?? "") +
          random.pick(["\r", " ", "\t", "\u3000", "\u2028", "\0"]);
        break;
      case 4:
        lines = lines.slice(0, index);
        break;
      case 5:
        lines.push(...new Array<string>(random.size(100_000)).fill(random.pick(["", "x"])));
        break;
      default:
        lines[index] = random.pick(["##", "#", "", "\ufeff[CLS]"]);
    }
  }
  const bytes = new TextEncoder().encode(lines.join(random.once(8) ? "\r\n" : "\n"));
  return random.once(8) ? mutateBytes(random, bytes) : bytes;
}

/** A mutant of a config.json, whose labels need not be those of the head. */
export function mutateConfig(random: Random, json: string): Uint8Array {
  if (random.once(2)) return mutateJson(random, json);
  const root = treeOf(JSON.parse(json));
  const count = random.pick([0, 1, 2, 6, 7, 8, 1025, 50_000]);
  const name = random.pick(["L", "B-", "I-", "", "O"]);
  const labels = Object.fromEntries(
    Array.from({ length: count }, (_, i) => [
      random.once(200)
        ? random.pick(["01", "-1", "1.0", "1e0", "__proto__", "9999999999"])
        : `${i}`,
      random.once(200) ? "O" : i === 0 ? "O" : name + (i >> 1),
    ]),
  );
  replace(root, "id2label", labels);
  return random.once(3) ? mutateJson(random, textOf(root)) : new TextEncoder().encode(textOf(root));
}

const FIELDS =
  "num_hidden_layers num_attention_heads num_hidden_groups inner_group_num pad_token_id hidden_size"
    .split(" ").concat("embedding_size intermediate_size vocab_size type_vocab_size".split(" "));

/** A mutant of a checkpoint's config.json: there, what it says is computed is all that says it. */
export function mutateCheckpointConfig(random: Random, json: string): Uint8Array {
  if (random.once(2)) return mutateConfig(random, json);
  const fields = JSON.parse(json) as Record<string, unknown>;
  for (let n = random.size(3); n > 0; n--) {
    const field = random.once(5) ? random.pick(["model_type", "hidden_act"]) : random.pick(FIELDS);
    const old = fields[field];
    fields[field] = typeof old === "string"
      ? random.pick(["bert", "albert", "distilbert", "roberta", "electra", "gelu", "gelu_new", "x"])
      : random.pick([0, 1, 2, 3, 255, 256, 257, 1e9, 2 ** 31, 2 ** 53 - 1, -1, 0.5, null, "2", [
        1,
      ]]);
  }
  return new TextEncoder().encode(JSON.stringify(fields));
}
