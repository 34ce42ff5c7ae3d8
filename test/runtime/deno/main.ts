/** The cases in Deno, from source. @module */
import * as library from "../../../mod.ts";
import { main } from "../command.ts";

await main(library);
