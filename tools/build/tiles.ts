/**
 * Writes the inner loops of the int8 product, a file for each family of kernels: kernels/FAMILY/tiles.ts.
 *
 * A tile multiplies a block of packed rows by one panel of packed weights or several. Its loop is unrolled, so that
 * its own instructions do not count, and written without calls or arrays, so that every sum stays in a register. What
 * it looks like follows from the family's arithmetic and from its shape, both below; how a block of rows finds its
 * tile follows from the list of shapes.
 *
 * What bounds a tile is not the multiplication alone, of which a core starts two a cycle, but the six or eight
 * instructions that it starts in all: an engine without a trap handler (Deno) adds two to every load, to check
 * its bounds. So activations of four rows come in one load, each spread by a shuffle, wherever a register is left
 * to hold them. V8 can allocate 15 of them on x86, and every shape here is chosen to need no more.
 * `deno task bench --filter kernels/gemm_int8` prints what each number of rows reaches of the instruction's rate.
 *
 * @module
 */
import {
  PANEL,
  PANEL_BIASES,
  PANEL_PARAMS,
  PANEL_SUMS,
  ROW_PARAMS,
} from "../../src/kernels/contract.ts";

/** A tile's shape. */
interface Shape {
  readonly rows: number;
  readonly panels: number;
  /** Steps of the instruction in a turn of the loop; a step takes 4 bytes of each row. */
  readonly unroll: number;
  /** Activations: four rows in a load, each spread, or each row by a load of its own. */
  readonly load: "spread" | "splat";
  /** Where the 32-bit sums of a family with `lanes` are kept, if not in registers. */
  readonly sums?: "scratch";
  /** Twice over the weights, for activations of 14 bits: once for their upper halves, once for the lower. */
  readonly halves?: boolean;
  /** Why it is shaped so. */
  readonly why: string;
}

/** What the tiles of a family have in common. */
interface Family {
  /** Types of activations (of a shape with halves) and weights, for names. */
  readonly types: (shape: Shape) => string;
  /** k of a step. */
  readonly depth: number;
  /** Bytes of a panel's weights in a step. */
  readonly weightBytes: number;
  /** The multiplication: `NAME(w, x, sum)` adds to a vector of sums; with `lanes`, `NAME(w, x)` are sums of 16 bits. */
  readonly multiply: string;
  /** Steps that are added up in lanes of 16 bits before they are widened to the sums of 32. */
  readonly lanes?: number;
  /** Where the two vectors of weights of a step come from, by their number, given `load(offset)`. */
  readonly weights: (load: (offset: number) => string, first: string) => readonly [string, string];
  /** Whether a vector of weights that is used once is loaded where it is used. */
  readonly inPlace: boolean;
  /** Columns' parameters that the end of a tile needs, each two vectors: name and place. */
  readonly parameters: readonly (readonly [name: string, offset: number])[];
  readonly imports: string;
  readonly shapes: readonly Shape[];
}

const FAMILIES: Readonly<Record<string, Family>> = {
  relaxed: {
    types: ({ halves }) => halves ? "u14_i8" : "u8_i8",
    depth: 4,
    weightBytes: 32,
    multiply: "dot4",
    weights: (load) => [load(0), load(16)],
    inPlace: true,
    parameters: [["s", 0], ["b", PANEL_BIASES], ["z", PANEL_SUMS]],
    imports: 'import { spread } from "../math";\nimport { dot4 } from "./dot";\n' +
      'import { storeAlone, storeRow } from "./store";\n',
    shapes: [
      // deno-fmt-ignore
      { rows: 5, panels: 1, unroll: 4, load: "spread", why: "nearly all rows: 10 sums, enough for a dot that takes 5 cycles" },
      { rows: 4, panels: 1, unroll: 4, load: "spread", why: "the last rows" },
      // deno-fmt-ignore
      { rows: 6, panels: 1, unroll: 4, load: "splat", why: "the last rows; no register is left to hold four rows' activations" },
      { rows: 3, panels: 1, unroll: 4, load: "spread", why: "the last rows" },
      { rows: 2, panels: 2, unroll: 4, load: "spread", why: "sums enough from a second panel" },
      { rows: 1, panels: 4, unroll: 2, load: "splat", why: "sums enough from four panels" },
      { rows: 1, panels: 2, unroll: 1, load: "splat", why: "what is left of a row's panels" },
      // deno-fmt-ignore
      { rows: 5, panels: 1, unroll: 4, load: "spread", halves: true, why: "softmax's weights; a block of upper halves, then one of lower" },
    ],
  },
  pairs: {
    types: () => "u8_i8",
    depth: 4,
    weightBytes: 32,
    multiply: "dot2",
    lanes: 4,
    weights: (load) => [load(0), load(16)],
    inPlace: false,
    parameters: [["s", 0], ["b", PANEL_BIASES], ["z", PANEL_SUMS]],
    imports:
      'import { spread } from "../math";\nimport { dot2, loadOnes, widened } from "./dot";\n' +
      'import { storeAlone, storeRow } from "./store";\n',
    shapes: [
      // deno-fmt-ignore
      { rows: 5, panels: 1, unroll: 4, load: "spread", sums: "scratch", why: "nearly all rows; 10 lanes of sums fill the registers" },
      { rows: 4, panels: 1, unroll: 4, load: "spread", sums: "scratch", why: "the last rows" },
      { rows: 3, panels: 1, unroll: 4, load: "spread", sums: "scratch", why: "the last rows" },
      {
        rows: 2,
        panels: 1,
        unroll: 4,
        load: "spread",
        why: "the last rows; both kinds of sums fit",
      },
      { rows: 1, panels: 2, unroll: 4, load: "splat", why: "a row alone; both kinds of sums fit" },
    ],
  },
  baseline: {
    types: () => "i16_i8",
    depth: 2,
    weightBytes: 16,
    multiply: "dot2",
    weights: (load, first) => [load(0), `i16x8.shr_s(${first}, 8)`],
    inPlace: false,
    parameters: [["s", 0], ["b", PANEL_BIASES]],
    imports: 'import { spread } from "../math";\nimport { dot2, storeRow } from "./store";\n',
    shapes: [
      { rows: 5, panels: 1, unroll: 4, load: "spread", why: "nearly all rows" },
      { rows: 4, panels: 1, unroll: 2, load: "spread", why: "the last rows" },
      { rows: 3, panels: 1, unroll: 4, load: "spread", why: "the last rows" },
      { rows: 2, panels: 1, unroll: 2, load: "spread", why: "the last rows" },
      { rows: 1, panels: 1, unroll: 4, load: "spread", why: "a row alone" },
    ],
  },
};

/** `f(0), f(1), ...`. */
function list<T>(count: number, of: (i: number) => T): T[] {
  return Array.from({ length: count }, (_, i) => of(i));
}

/** An address and a constant, as a load or a store takes it. */
function at(pointer: string, offset: number): string {
  return offset === 0 ? pointer : `${pointer}, ${offset}`;
}

/** An address some bytes on. */
function plus(pointer: string, bytes: number | string): string {
  return bytes === 0 ? pointer : `${pointer} + ${bytes}`;
}

function nameOf(family: string, shape: Shape): string {
  const { rows, panels } = shape;
  return `gemm_${FAMILIES[family].types(shape)}_${rows}x${panels * PANEL}__${family}`;
}

/**
 * Arguments of a tile: one panel needs no distance to the next, one row none to the next row's results, sums in registers
 * no scratch.
 */
function argumentsOf({ rows, panels, sums }: Shape): string[] {
  return [
    "a",
    "w",
    ...(panels > 1 ? ["step"] : []),
    "k",
    "rows",
    "columns",
    "c",
    ...(rows > 1 ? ["ldc"] : []),
    ...(sums ? ["scratch"] : []),
  ];
}

/** The sums of row r and vector v. */
function sumsOf({ panels, sums }: Shape, r: number, v: number): string {
  return sums ? `v128.load(${at("scratch", 16 * (2 * panels * r + v))})` : `c${r}${v}`;
}

/** A statement that makes them `value`. */
function setSums({ panels, sums }: Shape, r: number, v: number, value: string): string {
  return sums
    ? `v128.store(${at(`scratch, ${value}`, 16 * (2 * panels * r + v))})`
    : `c${r}${v} = ${value}`;
}

/** A step's product of row r with the vector `weight`, number v, added to its sums. */
function product(
  { multiply, lanes = 0 }: Family,
  shape: Shape,
  step: number,
  r: number,
  v: number,
  weight: string,
): string {
  const sums = sumsOf(shape, r, v), lane = `t${r}${v}`;
  if (lanes === 0) return `${sums} = ${multiply}(${weight}, x, ${sums})`;
  const pairs = `${multiply}(${weight}, x)`;
  if (step % lanes === 0) return `${lane} = ${pairs}`;
  const added = `i16x8.add(${lane}, ${pairs})`;
  if (step % lanes < lanes - 1) return `${lane} = ${added}`;
  return setSums(shape, r, v, `i32x4.add(${sums}, widened(${added}, ones))`);
}

/** One turn of the loop. */
function turn(family: Family, shape: Shape): string[] {
  const { rows, panels, unroll, load } = shape,
    { weightBytes } = family,
    inPlace = family.inPlace && rows === 1;
  const lines: string[] = [], pointers = list(panels, (p) => p === 0 ? "w" : `u${p}`);
  const locals = [
    ...inPlace ? [] : list(2 * panels, (v) => `w${v}`),
    ...load === "spread" ? ["four"] : [],
    "x",
  ];
  lines.push(`let ${locals.map((name) => `${name}: v128`).join(", ")};`);
  for (let r = 0; r < rows && family.lanes; r++) {
    lines.push(`let ${list(2 * panels, (v) => `t${r}${v}: v128`).join(", ")};`);
  }
  for (let step = 0; step < unroll; step++) {
    const weights = pointers.flatMap((pointer, p) =>
      family.weights(
        (offset) => `v128.load(${at(pointer, step * weightBytes + offset)})`,
        `w${2 * p}`,
      )
    );
    for (let v = 0; v < weights.length && !inPlace; v += 2) {
      lines.push(`w${v} = ${weights[v]}, w${v + 1} = ${weights[v + 1]};`);
    }
    for (let r = 0; r < rows; r++) {
      const i = step * rows + r;
      if (load === "spread" && i % 4 === 0) lines.push(`four = v128.load(${at("a", 4 * i)});`);
      const x = load === "spread"
        ? `spread(four, ${i % 4})`
        : `v128.load32_splat(${at("a", 4 * i)})`;
      const sums = list(
        2 * panels,
        (v) => product(family, shape, step, r, v, inPlace ? weights[v] : `w${v}`),
      );
      if (sums[0].startsWith("v128.store")) {
        lines.push(
          `x = ${x};`,
          ...sums.map((sum) => `${sum};`),
        );
      } else {
        lines.push(`x = ${x}, ${sums.slice(0, 2).join(", ")};`);
        for (let v = 2; v < sums.length; v += 2) lines.push(`${sums.slice(v, v + 2).join(", ")};`);
      }
    }
  }
  lines.push(`a += ${4 * rows * unroll};`);
  lines.push(...pointers.map((pointer) => `${pointer} += ${weightBytes * unroll};`));
  return lines;
}

/** What becomes of the sums. */
function end(family: Family, shape: Shape): string[] {
  const { rows, panels } = shape;
  const row = (r: number): string => r === 0 ? "c" : r === 1 ? "c + ldc" : `c + ${r} * ldc`;
  if (panels > 1) {
    return list(
      rows,
      (r) =>
        list(
          panels,
          (p) =>
            `storeAlone(${plus(row(r), 4 * PANEL * p)}, ${plus("rows", ROW_PARAMS * r)}, ` +
            `${plus("columns", PANEL_PARAMS * p)}, ${sumsOf(shape, r, 2 * p)}, ${
              sumsOf(shape, r, 2 * p + 1)
            });`,
        ),
    ).flat();
  }
  const parameters = family.parameters.map(([name]) => `${name}0, ${name}1`).join(", ");
  return [
    ...family.parameters.map(([name, offset]) =>
      `const ${name}0 = v128.load(${at("columns", offset)}), ${name}1 = v128.load(${
        at("columns", offset + 16)
      });`
    ),
    ...list(
      rows,
      (r) =>
        `storeRow(${row(r)}, ${plus("rows", ROW_PARAMS * r)}, ${sumsOf(shape, r, 0)}, ` +
        `${sumsOf(shape, r, 1)}, ${parameters});`,
    ),
  ];
}

function tile(name: string, shape: Shape): string {
  const family = FAMILIES[name],
    { rows, panels, unroll, halves } = shape,
    depth = family.depth * unroll;
  const indent = (lines: readonly string[]): string[] => lines.map((line) => `  ${line}`);
  const types: Record<string, string> = { k: "i32" };
  const head = argumentsOf(shape).map((argument) => `${argument}: ${types[argument] ?? "usize"}`);
  const loop = [`for (; k > 0; k -= ${depth}) {`, ...indent(turn(family, shape)), "}"];
  const twice = [
    "const start = w, depth = k;",
    "for (let half = 0;; half++) {",
    ...indent(loop),
    "  if (half) break;",
    ...list(rows, (r) => `  c${r}0 = i32x4.shl(c${r}0, 7), c${r}1 = i32x4.shl(c${r}1, 7);`),
    "  k = depth;",
    "  w = start;",
    "}",
  ];
  const body = [
    ...list(panels - 1, (p) => `let u${p + 1} = ${p === 0 ? "w" : `u${p}`} + step;`),
    ...family.lanes ? ["const ones = loadOnes();"] : [],
    ...list(rows, (r) => {
      if (shape.sums) {
        return list(2 * panels, (v) => setSums(shape, r, v, "i32x4.splat(0)") + ";").join(" ");
      }
      const none = (v: number): string => r + v === 0 ? "i32x4.splat(0)" : "c00";
      return `let ${list(2 * panels, (v) => `c${r}${v} = ${none(v)}`).join(", ")};`;
    }),
    ...halves ? twice : loop,
    ...end(family, shape),
  ];
  return `/** ${rows} rows x ${panels * PANEL} columns, ${depth} k a turn: ${shape.why}. */\n` +
    `${halves ? "export " : ""}function ${nameOf(name, shape)}(${head.join(", ")}): void {\n` +
    `${indent(body).join("\n")}\n}\n`;
}

/** Finds the tile of a block of rows. */
function dispatch(name: string): string {
  const shapes = FAMILIES[name].shapes.filter(({ halves }) => !halves);
  const calls = shapes.map((shape, i) => {
    const twins = shapes.filter(({ rows }) => rows === shape.rows).length > 1;
    const condition = `count == ${shape.rows}${twins ? ` && panels == ${shape.panels}` : ""}`;
    const call = `${nameOf(name, shape)}(${argumentsOf(shape).join(", ")});\n`;
    return i === shapes.length - 1
      ? `  else ${call}`
      : `  ${i === 0 ? "if" : "else if"} (${condition}) ${call}`;
  });
  return "/** A block of `count` rows times `panels` panels, `step` bytes apart. */\n" +
    "// @ts-ignore: decorator\n@inline\n" +
    "export function tile(count: i32, panels: i32, a: usize, w: usize, step: usize, k: i32, " +
    "rows: usize, columns: usize, c: usize, ldc: usize, scratch: usize): void {\n" +
    `${calls.join("")}}\n`;
}

/** The generated files' contents, by path from the repository's root. */
export function tileFiles(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(FAMILIES).map(([name, family]) => [
      `kernels/${name}/tiles.ts`,
      "/**\n * Tiles of the int8 product. Generated by `deno task build` from tools/build/tiles.ts, which explains them.\n" +
      " *\n * Arguments, throughout: a block of packed activations, a panel of packed weights (and the bytes to the next),\n" +
      " * their depth, the rows' and the columns' parameters, where the first result goes, the bytes to the next row's, and\n" +
      " * scratch of PRODUCT_SCRATCH bytes.\n" +
      ` */\n${family.imports}\n` +
      [...family.shapes.map((shape) => tile(name, shape)), dispatch(name)].join("\n"),
    ]),
  );
}
