/** The cases in Bun, from source. @module */
import * as library from "../../../mod.ts";
import { main } from "../command.ts";

await main(library);
