/**
 * Low-rank adapters as PEFT saves them: `adapter_model.safetensors` and `adapter_config.json`
 * (https://huggingface.co/docs/peft, version 0.21).
 *
 * A part is two tensors, `base_model.model.MODULE.lora_A.weight` `[rank, inputs]` and `.lora_B.weight`
 * `[outputs, rank]`, where MODULE is the linear map's name in a Hugging Face checkpoint; the head, which PEFT calls a
 * module to save, is `base_model.model.classifier.weight` and `.bias`. What an adapter of ours has besides, and PEFT
 * leaves unread, is a CRF (`crf.start_transitions`, ...) and, in the file's metadata, its configuration and labels: so
 * its bytes alone are enough.
 *
 * What changes the result and is not computed here (DoRA, biases, ranks by pattern, a transposed layout) is refused.
 *
 * @module
 */
import { FormatError, ModelError, show } from "../../errors.ts";
import { ADAPTED, type Adapted, type Adapter, type AdapterPart } from "../../model/adapter.ts";
import type { ModelConfig } from "../../model/config.ts";
import type { F32Matrix } from "../../model/weights.ts";
import { checkFinite } from "../check.ts";
import { parseJsonObject } from "../json.ts";
import {
  readSafetensors,
  type SafeTensor,
  safetensorFloats,
  type SafeTensors,
  widenedFloats,
} from "../safetensors/read.ts";
import { writeSafetensors } from "../safetensors/write.ts";
import { crfFromTensors } from "./crf.ts";
import { CHECKPOINTS, type ParameterNames } from "./parameter_names.ts";
import { architectureOf } from "./write_checkpoint.ts";

const BASE = "base_model.model.", CRF = "crf.", HEAD = "classifier";

/** The name of a map within its layer. */
function nameOf(map: Adapted, names: ParameterNames): string {
  const { qkv: [query, key, value], attentionOutput, up, down } = names;
  return { query, key, value, attentionOutput, up, down }[map];
}

/** The two files of an adapter, by name; `config` is that of the model that it goes with. */
export function writeAdapter(adapter: Adapter, config: ModelConfig): Map<string, Uint8Array> {
  const architecture = architectureOf(config), { names } = CHECKPOINTS.get(architecture)!;
  const { rank, alpha, parts, labels, classifier, crf } = adapter;
  const tensors = new Map<string, SafeTensor>();
  const add = (name: string, data: Float32Array, ...shape: number[]): void => {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    tensors.set(name, { dtype: "F32", shape, data: bytes });
  };
  const modules = parts.map(({ layer, map, a, b }) => {
    const module = `${architecture}.${names.layer.replace("{}", String(layer))}${
      nameOf(map, names)
    }`;
    add(`${BASE}${module}.lora_A.weight`, a.data, a.rows, a.columns);
    add(`${BASE}${module}.lora_B.weight`, b.data, b.rows, b.columns);
    return module;
  });
  const { weight, bias } = classifier;
  if (weight.type !== "f32") {
    throw new ModelError("model/dtype", "an adapter's classifier must be float32.");
  }
  add(`${BASE}${HEAD}.weight`, weight.data, weight.rows, weight.columns);
  add(`${BASE}${HEAD}.bias`, bias, bias.length);
  if (crf) {
    add(`${CRF}start_transitions`, crf.start, labels.length);
    add(`${CRF}end_transitions`, crf.end, labels.length);
    add(`${CRF}transitions`, crf.transitions, labels.length, labels.length);
  }
  const description = {
    peft_type: "LORA",
    task_type: "TOKEN_CLS",
    base_model_name_or_path: null,
    inference_mode: true,
    r: rank,
    lora_alpha: alpha,
    lora_dropout: 0,
    bias: "none",
    fan_in_fan_out: false,
    use_dora: false,
    use_rslora: false,
    target_modules: modules,
    modules_to_save: [HEAD],
  };
  const metadata = {
    format: "pt",
    adapter_config: JSON.stringify(description),
    labels: JSON.stringify(labels),
  };
  return new Map([
    [
      "adapter_config.json",
      new TextEncoder().encode(JSON.stringify(description, undefined, 2) + "\n"),
    ],
    ["adapter_model.safetensors", writeSafetensors(tensors, metadata)],
  ]);
}

/** What is not in the file of an adapter that PEFT wrote. */
export interface AdapterOptions {
  /** `adapter_config.json`; an adapter of ours has it in its metadata. */
  readonly config?: string;
  /** Label names by emission column; likewise. */
  readonly labels?: readonly string[];
}

/** Whether the bytes of an adapter say which labels it is for; PEFT's do not. */
export function namesLabels(bytes: Uint8Array): boolean {
  return readSafetensors(bytes).metadata.has("labels");
}

/**
 * Reads an adapter.
 *
 * Throws {@link FormatError}: `safetensors/...` for a damaged file, `adapter/config` for a configuration that is none or
 * does not fit the tensors, `adapter/tensor` for a tensor that is missing or has another shape; {@link ModelError}
 * `config/unsupported` for what is not computed here.
 */
export function readAdapter(bytes: Uint8Array, options: AdapterOptions = {}): Adapter {
  const file = readSafetensors(bytes), { metadata } = file;
  const fail = (what: string): never => {
    throw new FormatError("adapter/config", `The adapter ${what}.`);
  };
  const json = options.config ?? metadata.get("adapter_config") ??
    fail("does not hold its configuration; hand in its adapter_config.json");
  const { rank, alpha } = readConfig(
    parseJsonObject(json, "adapter/config", "adapter_config.json"),
  );
  const labels = options.labels ?? labelsIn(metadata.get("labels"), fail);
  const parts = partsOf(file, rank);
  if (parts.length === 0) fail("holds no tensor of LoRA");
  const head = (name: string, ...shape: number[]): Float32Array =>
    tensorOf(file, `${BASE}${HEAD}.${name}`, shape);
  const columns = file.tensors.get(`${BASE}${HEAD}.weight`)?.shape[1] ??
    fail(`has no classifier, ${BASE}${HEAD}.weight`);
  return {
    rank,
    alpha,
    parts,
    labels,
    classifier: {
      weight: {
        type: "f32",
        rows: labels.length,
        columns,
        data: head("weight", labels.length, columns),
      },
      bias: head("bias", labels.length),
    },
    crf: file.tensors.has(`${CRF}transitions`)
      ? crfFromTensors(file.tensors, labels.length, CRF, widenedFloats)
      : undefined,
  };
}

function labelsIn(json: string | undefined, fail: (what: string) => never): string[] {
  const labels: unknown = json === undefined
    ? fail("does not name its labels; hand them in")
    : parseJsonObject(`{"labels":${json}}`, "adapter/config", "the adapter's labels").labels;
  if (!Array.isArray(labels) || !labels.every((label) => typeof label === "string")) {
    fail(`has labels that are ${show(labels)}`);
  }
  return labels as string[];
}

/** Fields of adapter_config.json that change the result, and the values that are computed here. */
const COMPUTED: Readonly<Record<string, readonly unknown[]>> = {
  peft_type: ["LORA"],
  bias: ["none", undefined],
  fan_in_fan_out: [false, undefined],
  use_dora: [false, undefined],
  use_qalora: [false, undefined],
  lora_bias: [false, undefined],
  use_bdlora: [null, false, undefined],
  arrow_config: [null, undefined],
  kasa_config: [null, undefined],
  monteclora_config: [null, undefined],
  velora_config: [null, undefined],
  layer_replication: [null, undefined],
  alora_invocation_tokens: [null, undefined],
};

function readConfig(fields: Readonly<Record<string, unknown>>): { rank: number; alpha: number } {
  for (const [name, known] of Object.entries(COMPUTED)) {
    if (known.includes(fields[name])) continue;
    throw new ModelError(
      "config/unsupported",
      `adapter_config.json: ${name} is ${show(fields[name])}; only ${show(known[0])} is supported.`,
    );
  }
  for (const name of ["rank_pattern", "alpha_pattern"]) {
    if (Object.keys(fields[name] ?? {}).length === 0) continue;
    throw new ModelError(
      "config/unsupported",
      `adapter_config.json has a ${name}; only one rank and one alpha for all modules are supported.`,
    );
  }
  const { r, lora_alpha: alpha } = fields;
  if (!Number.isInteger(r) || (r as number) < 1 || !(typeof alpha === "number" && alpha > 0)) {
    throw new FormatError(
      "adapter/config",
      `adapter_config.json: r is ${show(r)} and lora_alpha ${
        show(alpha)
      }; expected numbers above 0.`,
    );
  }
  const rank = r as number;
  // Rank-stabilized LoRA scales by the root of the rank.
  return { rank, alpha: fields["use_rslora"] === true ? alpha * Math.sqrt(rank) : alpha };
}

function tensorOf({ tensors }: SafeTensors, name: string, shape: readonly number[]): Float32Array {
  const tensor = tensors.get(name);
  if (tensor === undefined || tensor.shape.join() !== shape.join()) {
    throw new FormatError(
      "adapter/tensor",
      `The adapter's ${show(name)} is ${
        tensor ? `[${tensor.shape}]` : "missing"
      }, expected [${shape}].`,
    );
  }
  return checkFinite(name, safetensorFloats(tensor, name));
}

/** Parts by layer and map. Throws for a tensor whose place is not known, which would be left out in silence. */
function partsOf(file: SafeTensors, rank: number): AdapterPart[] {
  const parts: AdapterPart[] = [];
  for (const [name, { shape }] of file.tensors) {
    const module = /^base_model\.model\.(.*)\.lora_A\.weight$/.exec(name)?.[1];
    if (module === undefined) {
      if (/\.lora_B\.weight$/.test(name) || name.startsWith(CRF) || name.startsWith(BASE + HEAD)) {
        continue;
      }
      throw new FormatError("adapter/tensor", `The adapter's tensor ${show(name)} is not known.`);
    }
    const place = placeOf(module);
    if (place === undefined) {
      throw new FormatError(
        "adapter/tensor",
        `The adapter changes ${show(module)}, which is not known.`,
      );
    }
    if (parts.some(({ layer, map }) => layer === place.layer && map === place.map)) {
      throw new FormatError(
        "adapter/tensor",
        `The adapter changes ${place.map} of layer ${place.layer} twice.`,
      );
    }
    const columns = shape[1] ?? 0, b = `${BASE}${module}.lora_B.weight`;
    const rows = file.tensors.get(b)?.shape[0] ?? 0;
    const matrix = (own: string, height: number, width: number): F32Matrix => ({
      type: "f32",
      rows: height,
      columns: width,
      data: tensorOf(file, own, [height, width]),
    });
    parts.push({ ...place, a: matrix(name, rank, columns), b: matrix(b, rows, rank) });
  }
  return parts.sort((x, y) => x.layer - y.layer || ADAPTED.indexOf(x.map) - ADAPTED.indexOf(y.map));
}

/** A module's layer and map, by the names of any architecture. */
function placeOf(module: string): { layer: number; map: Adapted } | undefined {
  for (const { names } of CHECKPOINTS.values()) {
    const [before, after] = names.layer.split("{}") as [string, string];
    const at = module.indexOf(before);
    if (at !== 0 && module[at - 1] !== ".") continue;
    const [, layer, rest] = /^(\d+)(.*)$/s.exec(module.slice(at + before.length)) ?? [];
    if (layer === undefined || !rest!.startsWith(after)) continue;
    const map = ADAPTED.find((one) => rest!.slice(after.length) === nameOf(one, names));
    if (map !== undefined) return { layer: Number(layer), map };
  }
  return undefined;
}
