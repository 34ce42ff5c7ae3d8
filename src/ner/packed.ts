/**
 * The recogniser of packed models alone: bytes and compiled kernels go in, and nothing is opened, fetched or compiled.
 *
 * @module
 */
import { InputError, isBytes, show } from "../errors.ts";
import { packageOf } from "../formats/package/read.ts";
import { type ByteSource, streamPackage } from "../formats/package/stream.ts";
import { loadingKernels } from "../kernels/loading.ts";
import { assemble } from "./assemble.ts";
import { checkOptions, MODEL_RULES } from "./check_options.ts";
import type { KernelOptions, NerOptions } from "./options.ts";
import { Recogniser } from "./recogniser.ts";

/** Named-entity recogniser of a packed model. Made by {@link Ner.fromBytes} or {@link Ner.fromStream}. */
export class Ner extends Recogniser {
  /**
   * Makes a recogniser from a packed model's bytes, which must not be changed afterwards.
   *
   * @throws {InputError} `input/bytes` or `input/option`
   * @throws {FormatError} if the bytes are damaged or of another kind; {TokenizerError} if the tokenizer is
   * @throws {RuntimeError} `runtime/kernels` if none of the kernels can run here, `runtime/memory`
   */
  static async fromBytes(bytes: Uint8Array, options: NerOptions & KernelOptions): Promise<Ner> {
    checkOptions(options, "Ner.fromBytes", MODEL_RULES);
    if (!isBytes(bytes)) {
      throw new InputError(
        "input/bytes",
        `Ner.fromBytes takes a packed model as a Uint8Array; got ${show(bytes)}.`,
      );
    }
    const { allowStripAccents } = options;
    const means = await loadingKernels(options.kernels);
    return new this(await assemble(packageOf(bytes, { allowStripAccents }, means), options));
  }

  /**
   * Makes a recogniser from a packed model as it arrives, without ever holding the file.
   *
   * @throws as {@link Ner.fromBytes}, and whatever `source.chunks` throws
   */
  static async fromStream(source: ByteSource, options: NerOptions & KernelOptions): Promise<Ner> {
    checkOptions(options, "Ner.fromStream", MODEL_RULES);
    const { allowStripAccents } = options;
    const means = await loadingKernels(options.kernels);
    const model = await streamPackage(source, { allowStripAccents }, means);
    try {
      return new this(await assemble(model.bundle, options, model.parts));
    } finally {
      await model.close();
    }
  }
}
