/**
 * Numbers of which a file says only part: shapes, positions, masks and ids.
 *
 * A trial (`trial.ts`) computes a graph for one batch size and one length. To learn from it what holds for all
 * of them, each number carries, beside its value in the trial, the bounds that it keeps in any run: interval
 * arithmetic, as in Moore's Interval Analysis (1966). A comparison that the bounds decide has one answer
 * always; a choice that they do not decide is marked as bent, since elsewhere it may turn out the other way.
 * Sizes are kept as monomials of batch size and length too, so that a quotient of two of them stays exact.
 *
 * An element that depends on whether a place of the batch is padding is a {@link Choice}: what it is where the
 * token counts and where it does not, each a number by itself. So a mask is followed for all masks at once.
 *
 * @module
 */

/** A number in one trial, and what is known of it in any run. */
export interface Num {
  /** In this trial. */
  readonly value: number;
  /** Bounds that hold in every run. */
  readonly low: number;
  readonly high: number;
  /** Whether a choice went into it that the bounds do not decide. */
  readonly bent: boolean;
  /** It is a constant times the batch size and the length to these powers; undefined if it is no such product. */
  readonly powers?: readonly [batch: number, length: number];
  /** A number that it never is: a token that counts is not the padding's id. */
  readonly never?: number;
}

/** An element that depends on whether the token at `place` (batch * length + position) counts. */
export interface Choice {
  readonly place: number;
  readonly on: Num;
  readonly off: Num;
}

/** How many tokens of a row of the batch count. */
export interface Count {
  readonly row: number;
}

/** An element of a tensor that is followed. */
export type Item = Num | Choice | Count;

/** A number of which nothing is known. */
export const ANYTHING: Num = { value: NaN, low: -Infinity, high: Infinity, bent: true };

/** A constant. */
export function constant(value: number): Num {
  return { value, low: value, high: value, bent: Number.isNaN(value), powers: [0, 0] };
}

/** A number within bounds that holds in every run. */
export function within(value: number, low: number, high: number, bent = false): Num {
  return low === high ? constant(low) : { value, low, high, bent };
}

/** The same number wherever it is. */
export function isConstant(item: Item | undefined): item is Num {
  return item !== undefined && "low" in item && item.low === item.high;
}

/** An element that depends on padding. */
export function isChoice(item: Item): item is Choice {
  return "on" in item;
}

/** Applies a function of numbers to elements: to both sides of a choice. */
export function lift(f: (...numbers: Num[]) => Num, items: readonly Item[]): Item {
  let place: number | undefined;
  for (const item of items) {
    if ("row" in item) return ANYTHING;
    if (!isChoice(item)) continue;
    // A number of two places is none of a padding mask.
    if (place !== undefined && place !== item.place) return ANYTHING;
    place = item.place;
  }
  if (place === undefined) return f(...items as Num[]);
  const side = (which: "on" | "off"): Num =>
    f(...items.map((item) => isChoice(item) ? item[which] : item as Num));
  const on = side("on"), off = side("off");
  return isConstant(on) && isConstant(off) && on.low === off.low ? on : { place, on, off };
}

/** An infinity times zero is zero here: a bound that is infinite is never reached. */
function times(a: number, b: number): number {
  return a === 0 || b === 0 ? 0 : a * b;
}

function hull(value: number, corners: readonly number[], bent: boolean): Num {
  return within(value, Math.min(...corners), Math.max(...corners), bent);
}

/** a + b. */
export function add(a: Num, b: Num): Num {
  return within(a.value + b.value, a.low + b.low, a.high + b.high, a.bent || b.bent);
}

/** -a. */
export function negate(a: Num): Num {
  return within(-a.value, -a.high, -a.low, a.bent);
}

/** a - b. */
export function subtract(a: Num, b: Num): Num {
  return add(a, negate(b));
}

/** a * b. */
export function multiply(a: Num, b: Num): Num {
  // An infinity that is a constant is reached, and gives NaN.
  const reached = [[a, b], [b, a]].some(([x, y]) =>
    x!.low === x!.high && Math.abs(x!.low) === Infinity && y!.low <= 0 && y!.high >= 0
  );
  if (reached) return ANYTHING;
  const corners = [a.low, a.high].flatMap((x) => [b.low, b.high].map((y) => times(x, y)));
  const product = hull(times(a.value, b.value), corners, a.bent || b.bent);
  if (!a.powers || !b.powers || product.powers) return product;
  return { ...product, powers: [a.powers[0] + b.powers[0], a.powers[1] + b.powers[1]] };
}

/** a / b where both are sizes and it leaves nothing over; undefined elsewhere. */
export function divideSizes(a: Num, b: Num, batch: number, length: number): Num | undefined {
  const value = a.value / b.value;
  if (!a.powers || !b.powers || !Number.isInteger(value)) return undefined;
  const powers = [a.powers[0] - b.powers[0], a.powers[1] - b.powers[1]] as const;
  const factor = value / (batch ** powers[0] * length ** powers[1]);
  if (powers[0] === 0 && powers[1] === 0) return constant(value);
  // Of a batch size and a length that are at least 1.
  const whole = powers[0] >= 0 && powers[1] >= 0 && Number.isInteger(factor) && factor > 0;
  return whole ? { value, low: factor, high: Infinity, bent: a.bent || b.bent, powers } : undefined;
}

/** a / b of real numbers. Of a zero the sign is not known, and so not which infinity comes of it. */
export function divide(a: Num, b: Num): Num {
  if (b.low <= 0 && b.high >= 0) {
    return { ...ANYTHING, value: b.value === 0 ? NaN : a.value / b.value };
  }
  return multiply(a, within(1 / b.value, 1 / b.high, 1 / b.low, b.bent));
}

/** A function that only rises, at one number. */
export function rising(f: (x: number) => number): (a: Num) => Num {
  return (a) => within(f(a.value), f(a.low), f(a.high), a.bent);
}

/** A function of constants; of anything else nothing is known. */
export function ofConstants(f: (...x: number[]) => number): (...numbers: Num[]) => Num {
  return (...numbers) =>
    numbers.every((number) => isConstant(number))
      ? constant(f(...numbers.map(({ low }) => low)))
      : ANYTHING;
}

/** A truth value of two numbers: one that the bounds decide, or the trial's, if it knows both, which elsewhere may be the other. */
function truth(a: Num, b: Num, holds: boolean, always: boolean, never: boolean): Num {
  if (always) return constant(1);
  if (never) return constant(0);
  const unknown = Number.isNaN(a.value) || Number.isNaN(b.value);
  return within(unknown ? NaN : holds ? 1 : 0, 0, 1, true);
}

/** a < b. */
export function less(a: Num, b: Num): Num {
  return truth(a, b, a.value < b.value, a.high < b.low, a.low >= b.high);
}

/** a <= b. */
export function lessOrEqual(a: Num, b: Num): Num {
  return truth(a, b, a.value <= b.value, a.high <= b.low, a.low > b.high);
}

/** a = b. */
export function equal(a: Num, b: Num): Num {
  const point = isConstant(a) && isConstant(b) && a.low === b.low;
  const excluded = isConstant(b) && a.never === b.low || isConstant(a) && b.never === a.low;
  const apart = a.high < b.low || b.high < a.low || excluded;
  return truth(a, b, a.value === b.value, point, apart);
}

/** Both, of truth values. */
export function and(a: Num, b: Num): Num {
  return within(
    Math.min(a.value, b.value),
    Math.min(a.low, b.low),
    Math.min(a.high, b.high),
    a.bent || b.bent,
  );
}

/** The other truth value. */
export function not(a: Num): Num {
  return subtract(constant(1), a);
}

/** x where the condition holds, y elsewhere. */
export function where(condition: Num, x: Num, y: Num): Num {
  if (condition.low === 1) return x;
  if (condition.high === 0) return y;
  if (isConstant(x) && isConstant(y) && x.low === y.low) return x;
  const chosen = condition.value === 1 ? x.value : y.value;
  const value = Number.isNaN(condition.value) ? NaN : chosen;
  return { value, low: Math.min(x.low, y.low), high: Math.max(x.high, y.high), bent: true };
}

/** The larger one. */
export function larger(a: Num, b: Num): Num {
  if (a.low >= b.high) return a;
  if (b.low >= a.high) return b;
  const value = Math.max(a.value, b.value);
  return within(value, Math.max(a.low, b.low), Math.max(a.high, b.high), true);
}

/** The smaller one. */
export function smaller(a: Num, b: Num): Num {
  return negate(larger(negate(a), negate(b)));
}

/** An integer as a cast makes it: towards zero. */
export function truncate(a: Num): Num {
  const cut = rising(Math.trunc)(a);
  if (Number.isInteger(a.value)) return { ...a, low: cut.low, high: cut.high };
  return { ...cut, bent: cut.bent || !isConstant(a) };
}

/** What a choice out of several elements can be: the one that it is in this trial, within the bounds of all. */
export function chosen(item: Item, all: readonly Item[]): Item {
  if (!("low" in item)) return item;
  let { low, high, bent } = item;
  for (const other of all) {
    if (!("low" in other)) return item;
    low = Math.min(low, other.low);
    high = Math.max(high, other.high);
    bent ||= other.bent;
  }
  return low === item.low && high === item.high ? item : within(item.value, low, high, bent);
}
