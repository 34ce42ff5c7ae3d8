/**
 * Holds the arrows between files against a table of doors: forbidden imports, circles, and what is reached
 * that must not be. Each problem is a sentence that names the files and the rule.
 *
 * @module
 */
import type { Arrow } from "./arrows.ts";
import { ALL, type Room } from "./doors.ts";

/** A table of doors and the promises behind it, as in doors.ts. */
export interface House {
  readonly rooms: Readonly<Record<string, Room>>;
  readonly never: readonly (readonly [room: string, others: readonly string[]])[];
}

/** What was found. */
export interface Verdict {
  readonly problems: readonly string[];
  /** Each room with its doors and how many arrows go through each. */
  readonly table: string;
}

/** What each file imports. */
type Next = ReadonlyMap<string, readonly string[]>;

/** The room with the longest name that a path begins with. */
function roomOf(path: string, { rooms }: House): string | undefined {
  return Object.keys(rooms).filter((name) => path.startsWith(name))
    .sort((a, b) => b.length - a.length)[0];
}

const isPackage = (to: string): boolean => /^[a-z]+:/.test(to);

/** The rooms that a room may import, {@link ALL} spelled out. */
function importsOf(name: string, { rooms }: House): readonly string[] {
  const { imports } = rooms[name]!, names = Object.keys(rooms);
  return imports.includes(ALL) ? names.slice(0, names.indexOf(name)) : imports;
}

/** A room's doors in words. */
function doorsOf({ imports, types = [] }: Room): string {
  const open = imports.includes(ALL)
    ? ["any room above"]
    : [...imports, ...types.map((each) => `types of ${each}`)];
  return open.join(", ") || "no other room";
}

/** What is wrong with the table itself: a door that leads nowhere, or not to a room above. */
function tableProblems({ rooms }: House): string[] {
  const names = Object.keys(rooms);
  return names.flatMap((name, at) => {
    const { imports, types = [] } = rooms[name]!;
    return [...imports, ...types].filter((other) => other !== ALL).flatMap((other) => {
      const where = names.indexOf(other);
      if (where < 0) return [`The table lets ${name} import ${other}, which is no room.`];
      if (where < at) return [];
      return [`The table lets ${name} import ${other}, which does not stand above it.`];
    });
  });
}

function homeless(files: readonly string[], house: House): string[] {
  return files.filter((file) => roomOf(file, house) === undefined)
    .map((file) =>
      `${file} is in no room: move it into one, or give its folder a line in the table.`
    );
}

/** What is wrong with one arrow, if anything is. */
function arrowProblems({ from, to, type }: Arrow, house: House): string[] {
  const own = roomOf(from, house), other = roomOf(to, house);
  if (own === undefined || own === other) return [];
  const room = house.rooms[own]!, { types = [], packages } = room;
  if (isPackage(to)) {
    const open = packages?.some((each) => to === each || (each === "node:" && to.startsWith(each)));
    return open ?? true
      ? []
      : [`${from} imports ${to}: ${own} may import ${packages!.join(", ") || "no package"}.`];
  }
  if (other !== undefined && importsOf(own, house).includes(other)) return [];
  if (other !== undefined && types.includes(other)) {
    return type
      ? []
      : [`${from} imports values of ${to}: ${own} may import only types of ${other}.`];
  }
  return [`${from} imports ${to}: ${own} may import ${doorsOf(room)}.`];
}

/** The shortest way from a file to another file or package, as the names on it. */
function way(start: string, next: Next, isEnd: (name: string) => boolean): string[] | undefined {
  const queue: string[][] = [[start]], seen = new Set<string>();
  for (let path = queue.shift(); path !== undefined; path = queue.shift()) {
    for (const to of next.get(path[path.length - 1]!) ?? []) {
      if (isEnd(to)) return [...path, to];
      if (seen.has(to)) continue;
      seen.add(to);
      queue.push([...path, to]);
    }
  }
  return undefined;
}

/** A shortest circle through each file that is on one and not on one already told. */
function circleProblems(files: readonly string[], next: Next): string[] {
  const told = new Set<string>();
  return files.flatMap((file) => {
    if (told.has(file)) return [];
    const circle = way(file, next, (name) => name === file);
    if (circle === undefined) return [];
    for (const each of circle) told.add(each);
    return [`${circle.join(" -> ")}: a circle; what both sides need wants a file of its own.`];
  });
}

/** The shortest way to each thing that a room must not reach. */
function neverProblems(files: readonly string[], next: Next, { never }: House): string[] {
  return never.flatMap(([room, others]) =>
    others.flatMap((other) => {
      const [shortest] = files.filter((file) => file.startsWith(room))
        .map((file) => way(file, next, (name) => name.startsWith(other)))
        .filter((found) => found !== undefined)
        .sort((a, b) => a.length - b.length);
      if (shortest === undefined) return [];
      return [`${shortest.join(" -> ")}: nothing in ${room} may reach ${other}.`];
    })
  );
}

/** The table with its arrows counted; of the doors to any room, those that are used. */
function counted(files: readonly string[], arrows: readonly Arrow[], house: House): string {
  const names = Object.keys(house.rooms);
  const width = Math.max(...names.map((name) => name.length));
  const rows = names.map((name) => {
    const { imports, types = [], packages = [] } = house.rooms[name]!;
    const size = files.filter((file) => roomOf(file, house) === name).length;
    if (size === 0) return `${name.padEnd(width)} to come -> ${doorsOf(house.rooms[name]!)}`;
    const own = arrows.filter(({ from }) => roomOf(from, house) === name);
    const count = (through: (to: string) => boolean): number =>
      own.filter(({ to }) => through(to)).length;
    const rooms = importsOf(name, house)
      .map((other) => [other, count((to) => roomOf(to, house) === other)] as const)
      .filter(([, n]) => n > 0 || !imports.includes(ALL));
    const doors = [
      ...rooms.map(([other, n]) => `${other} ${n}`),
      ...types.map((other) => `types of ${other} ${count((to) => roomOf(to, house) === other)}`),
      ...packages.map((each) => `${each} ${count((to) => to.startsWith(each))}`),
    ];
    const amount = size === 1 ? "1 file" : `${size} files`;
    return `${name.padEnd(width)} ${amount} -> ${doors.join(", ") || "nothing"}`;
  });
  const between = arrows.filter(({ to }) => !isPackage(to));
  const through = between.filter(({ from, to }) => roomOf(from, house) !== roomOf(to, house));
  return `${files.length} files, ${between.length} arrows between them, ${through.length} through doors\n` +
    rows.join("\n");
}

/** Judges the `arrows` between `files`; paths are from the repository's root. */
export function judge(files: readonly string[], arrows: readonly Arrow[], house: House): Verdict {
  const next = new Map<string, string[]>(files.map((file) => [file, []]));
  for (const { from, to } of arrows) next.get(from)?.push(to);
  return {
    problems: [
      ...tableProblems(house),
      ...homeless(files, house),
      ...arrows.flatMap((arrow) => arrowProblems(arrow, house)),
      ...circleProblems(files, next),
      ...neverProblems(files, next, house),
    ],
    table: counted(files, arrows, house),
  };
}
