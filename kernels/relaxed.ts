/** The kernel module for engines whose relaxed int8 dot passes the probe. */
export * from "./common";
export { probe } from "./probe";
