/** The end of a tile: as on relaxed SIMD, whose sums these are. */
export { storeAlone, storeRow } from "../relaxed/store";
