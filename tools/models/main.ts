/**
 * The committed models, from their corpora: `deno task models --data DIR -o OUT`.
 *
 * `descriptions.ts` says what each is made from; all else is the same for all. Every stage is a line of `edge-ner` that is
 * printed, and that the same command goes on from (`../reproduce/stages.ts`). A model takes hours on a core.
 *
 * @module
 */
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { Refusal } from "../reproduce/files.ts";
import {
  keepPlan,
  listStages,
  recordsOf,
  runProgram,
  runStages,
  wholeNumber,
} from "../reproduce/stages.ts";
import { makeModelData, withoutNonCommercial } from "./data.ts";
import { type Description, MODELS } from "./descriptions.ts";
import { stagesOf } from "./plan.ts";
import { madeUp } from "./quick.ts";
import { summary } from "./summary.ts";

const HELP = `deno task models --data DIR -o OUT
deno task models --quick -o OUT

  --data DIR            the corpora, as docs/models.md lists them
  --quick               seconds, on text that it makes up itself
  -o, --output          folder for everything; packages are OUT/NAME/NAME-int8.safetensors (default: trained)
  --only PART           models, or stages, whose name has this part
  --seeds N             models of other random weights; of more than one, a student learns
  --without-consumer    without corpora that forbid commercial use: consumers' questions
  --learn-vocabulary    a new vocabulary, where else a committed model's is taken
  --threads N           threads of training (default: one for each core)
  --list                print the stages
`;

await runProgram("models", async () => {
  const { values } = parseArgs({
    options: {
      data: { type: "string" },
      quick: { type: "boolean", default: false },
      output: { type: "string", short: "o", default: "trained" },
      only: { type: "string" },
      seeds: { type: "string" },
      "without-consumer": { type: "boolean", default: false },
      "learn-vocabulary": { type: "boolean", default: false },
      threads: { type: "string" },
      list: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const { quick, output: out, only } = values;
  if (quick === (values.data !== undefined)) {
    throw new Refusal("say --data DIR or --quick; --help tells what they are");
  }
  const data = values.data ?? join(out, "made-up");
  const seeds = wholeNumber("seeds", values.seeds),
    threads = wholeNumber("threads", values.threads);
  const described = (model: Description): Description => {
    const asked = values["without-consumer"] ? withoutNonCommercial(model) : model;
    return { ...(quick ? madeUp(asked, data) : asked), ...(seeds && { starts: seeds }) };
  };
  const learnVocabulary = quick || values["learn-vocabulary"];
  const plans = MODELS.map((model) => {
    const made = described(model), folder = join(out, model.name);
    const all = stagesOf(folder, made, { data, learnVocabulary });
    const stages = all.filter(({ name }) => name.includes(only ?? ""));
    return { made, folder, all, stages };
  }).filter(({ stages }) => stages.length > 0);
  if (plans.length === 0) throw new Refusal(`no stage's name has ${JSON.stringify(only)} in it`);
  if (values.list) return listStages(plans.flatMap(({ stages }) => stages));

  for (const { made, folder, all } of plans) {
    keepPlan(folder, { model: made, data, learnVocabulary });
    makeModelData(join(folder, "data"), data, made);
    const results = join(folder, "results.jsonl");
    const ran = await runStages(all, { results, only, threads });
    console.log(`${made.name}: ${ran} of ${all.length} stages`);
    const { apart } = made.labelled, splits = ["random", ...(apart ? [apart.name] : [])];
    if (ran > 0 || only === undefined) {
      console.log(summary(recordsOf(results), join(folder, "data"), splits));
    }
  }
});
