/** The cases in Deno, from source. @module */
import * as library from "../../../mod.ts";
import * as training from "../../../train.ts";
import { main } from "../command.ts";
import { trainingCases } from "../training.ts";

await main(library, trainingCases(training));
