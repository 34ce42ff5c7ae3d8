/**
 * The operations of a training step, as commands that threads share (../schedule.ts, contract.ts).
 */
import { Command } from "../contract";
import { add_features } from "../features";
import { padded } from "../layout";
import { runProgram, workProgram } from "../schedule";
import { activation_backward, activation_forward } from "./activation";
import { attention_backward, attention_forward, attention_weights } from "./attention";
import {
  ActivationBackward,
  ActivationForward,
  Adamw,
  AdamwConstants,
  AddNormForward,
  AttentionBackward,
  AttentionForward,
  AttentionWeights,
  Drop,
  DROPS_HIDDEN,
  EmbedForward,
  FeaturesBackward,
  FeaturesForward,
  GatherRows,
  NormBackward,
  NormForward,
  NormParameters,
  OPERATION_ACTIVATION_BACKWARD,
  OPERATION_ACTIVATION_FORWARD,
  OPERATION_ADAMW,
  OPERATION_ADD_NORM_FORWARD,
  OPERATION_ATTENTION_BACKWARD,
  OPERATION_ATTENTION_FORWARD,
  OPERATION_ATTENTION_WEIGHTS,
  OPERATION_DROP,
  OPERATION_EMBED_FORWARD,
  OPERATION_FEATURES_BACKWARD,
  OPERATION_FEATURES_FORWARD,
  OPERATION_GATHER_ROWS,
  OPERATION_NORM_BACKWARD,
  OPERATION_NORM_FORWARD,
  OPERATION_NORM_PARAMETERS,
  OPERATION_PRODUCT_FORWARD,
  OPERATION_PRODUCT_INPUT,
  OPERATION_PRODUCT_WEIGHTS,
  OPERATION_SCATTER_ROWS,
  OPERATION_SQUARE_SUM,
  OPERATION_SUM_ROWS,
  OPERATION_ZERO,
  ProductForward,
  ProductInput,
  ProductWeights,
  ScatterRows,
  SquareSum,
  SumRows,
  Zero,
} from "./contract";
import { embed_forward, gather_rows, scatter_rows } from "./embedding";
import { feature_tables } from "./features";
import { add_norm_forward, norm_backward, norm_forward, norm_parameters, sum_rows } from "./norm";
import { adamw, square_sum } from "./optimizer";
import { dropRow, drops } from "./philox";
import { product_forward, product_input, product_weights } from "./product";

/** What all commands that are cut in one direction begin with. */
@unmanaged
class Cut extends Command {
  items: i32;
  chunkItems: i32;
}

/** What products begin with. */
@unmanaged
class Product extends Command {
  m: i32;
  chunkRows: i32;
  n: i32;
  chunkColumns: i32;
}

function productChunk(command: Command, chunk: i32, thread: i32): void {
  const words = changetype<usize>(command), cut = changetype<Product>(words), n = cut.n;
  const rows = cut.chunkRows, columns = cut.chunkColumns, groups = (n + columns - 1) / columns;
  const i0 = chunk / groups * rows, i1 = min(i0 + rows, cut.m);
  const j0 = chunk % groups * columns, j1 = min(j0 + columns, n);
  const ldm = <usize> cut.m << 2, ldn = <usize> n << 2;
  if (command.operation == OPERATION_PRODUCT_FORWARD) {
    const it = changetype<ProductForward>(words), k = it.k, ldk = <usize> k << 2;
    const scratch = it.scratch + <usize> (thread * it.scratchBytes);
    product_forward(it.x, ldk, it.w, ldk, k, it.bias, it.c, ldn, i0, i1, j0, j1, scratch);
  } else if (command.operation == OPERATION_PRODUCT_INPUT) {
    const it = changetype<ProductInput>(words), k = it.k, ldk = <usize> k << 2;
    const scratch = it.scratch + <usize> (thread * it.scratchBytes);
    product_input(it.y, ldk, it.w, ldn, k, it.add != 0, it.c, ldn, i0, i1, j0, j1, scratch);
  } else {
    const it = changetype<ProductWeights>(words), scratch = it.scratch + <usize> (thread * it.scratchBytes);
    product_weights(it.y, ldm, it.x, ldn, it.tokens, it.c, ldn, i0, i1, j0, j1, scratch);
  }
}

/** Where the softmax of a head begins among those of all, which lie as {@link attention_weights} writes them. */
function weightsAt(offsets: usize, sequence: i32, heads: i32, head: i32): usize {
  let floats: usize = 0;
  for (let i = 0; i <= sequence; i++, offsets += 4) {
    const s = load<i32>(offsets, 4) - load<i32>(offsets);
    floats += <usize> (s * padded(s)) * <usize> (i < sequence ? heads : head);
  }
  return floats << 2;
}

/** Where the head of a sequence that is chunk number `chunk` begins. */
function attentionChunk(command: Command, chunk: i32, thread: i32): void {
  const words = changetype<usize>(command), it = changetype<AttentionForward>(words), heads = it.heads, d = it.d;
  const head = chunk % heads, offset = it.offsets + (<usize> (chunk / heads) << 2);
  const start = load<i32>(offset), s = load<i32>(offset, 4) - start;
  const part = <usize> (heads * d) << 2, ld = <usize> padded(3 * heads * d) << 2, ldc = <usize> padded(heads * d) << 2;
  const column = <usize> (head * d) << 2, site = it.site + head;
  const first = <usize> start * ld + column, context = <usize> start * ldc + column;
  if (command.operation == OPERATION_ATTENTION_FORWARD) {
    const q = it.qkv + first, scratch = it.scratch + <usize> (thread * it.scratchBytes);
    // deno-fmt-ignore
    attention_forward(q, q + part, q + 2 * part, ld, s, d, it.scale, it.context + context, ldc, it.dropout, site, start, scratch);
  } else if (command.operation == OPERATION_ATTENTION_WEIGHTS) {
    const it = changetype<AttentionWeights>(words), q = it.qkv + first, scratch = it.scratch + <usize> (thread * it.scratchBytes);
    attention_weights(q, q + part, ld, s, d, it.scale, it.weights + weightsAt(it.offsets, chunk / heads, heads, head), scratch);
  } else {
    const it = changetype<AttentionBackward>(words), q = it.qkv + first, dq = it.dQkv + first, site = it.site + head;
    const scratch = it.scratch + <usize> (thread * it.scratchBytes);
    const dWeights = it.dWeights ? it.dWeights + weightsAt(it.offsets, chunk / heads, heads, head) : 0;
    // deno-fmt-ignore
    attention_backward(q, q + part, q + 2 * part, ld, s, d, it.scale, it.dContext + context, ldc, dWeights, dq, dq + part, dq + 2 * part, it.dropout, site, start, scratch);
  }
}

function dropChunk(it: Drop, r0: i32, r1: i32): void {
  const n = padded(it.n), row = <usize> n << 2;
  const dropping = drops(it.dropout, DROPS_HIDDEN);
  for (let r = r0; r < r1; r++) {
    const at = <usize> r * row, y = it.y + at;
    if (it.y != it.x) memory.copy(y, it.x + at, row);
    if (dropping) dropRow(it.dropout, DROPS_HIDDEN, it.site, r, y, n);
  }
}

/** Carries out items r0 .. r1 of a command that is cut in one direction. */
function cutChunk(command: Command, chunk: i32, r0: i32, r1: i32): void {
  const words = changetype<usize>(command);
  switch (command.operation) {
    case OPERATION_EMBED_FORWARD: {
      const it = changetype<EmbedForward>(words);
      embed_forward(it.sum, it.n, it.ids, it.positions, it.words, it.positionTable, it.type, r0, r1);
      break;
    }
    case OPERATION_SCATTER_ROWS: {
      const it = changetype<ScatterRows>(words);
      scatter_rows(it.d, it.n, it.indices, it.rows, it.table, r0, r1);
      break;
    }
    case OPERATION_GATHER_ROWS: {
      const it = changetype<GatherRows>(words);
      gather_rows(it.x, it.n, it.indices, it.y, r0, r1);
      break;
    }
    case OPERATION_SUM_ROWS: {
      const it = changetype<SumRows>(words);
      sum_rows(it.d, it.n, it.rows, it.total, r0, r1);
      break;
    }
    case OPERATION_ACTIVATION_FORWARD: {
      const it = changetype<ActivationForward>(words);
      activation_forward(it.x, it.y, it.n, it.activation, r0, r1);
      break;
    }
    case OPERATION_ACTIVATION_BACKWARD: {
      const it = changetype<ActivationBackward>(words);
      activation_backward(it.x, it.dy, it.n, it.activation, r0, r1);
      break;
    }
    case OPERATION_NORM_FORWARD: {
      const it = changetype<NormForward>(words);
      norm_forward(it.sum, it.y, it.n, it.gamma, it.beta, it.epsilon, it.dropout, it.site, r0, r1);
      break;
    }
    case OPERATION_ADD_NORM_FORWARD: {
      const it = changetype<AddNormForward>(words);
      // deno-fmt-ignore
      add_norm_forward(it.x, it.update, it.sum, it.y, it.n, it.gamma, it.beta, it.epsilon, it.dropout, it.site, r0, r1);
      break;
    }
    case OPERATION_NORM_BACKWARD: {
      const it = changetype<NormBackward>(words);
      // deno-fmt-ignore
      norm_backward(it.dy, it.sum, it.n, it.gamma, it.epsilon, it.moments, it.dx, it.dUpdate, it.dropout, it.site, r0, r1);
      break;
    }
    case OPERATION_NORM_PARAMETERS: {
      const it = changetype<NormParameters>(words);
      norm_parameters(it.dy, it.sum, it.moments, it.rows, it.n, it.dGamma, it.dBeta, r0, r1);
      break;
    }
    case OPERATION_DROP:
      dropChunk(changetype<Drop>(words), r0, r1);
      break;
    case OPERATION_ZERO:
      memory.fill(changetype<Zero>(words).x + (<usize> r0 << 2), 0, <usize> (r1 - r0) << 2);
      break;
    case OPERATION_SQUARE_SUM: {
      const it = changetype<SquareSum>(words);
      square_sum(it.x, it.sums + (<usize> chunk << 3), r0, r1);
      break;
    }
    case OPERATION_ADAMW: {
      const it = changetype<Adamw>(words);
      adamw(it.p, it.g, it.m, it.v, changetype<AdamwConstants>(it.constants), r0, r1);
      break;
    }
    case OPERATION_FEATURES_FORWARD: {
      const it = changetype<FeaturesForward>(words);
      add_features(it.x, it.n, it.features, it.stride, it.columns, it.table, r0, r1);
      break;
    }
    case OPERATION_FEATURES_BACKWARD: {
      const it = changetype<FeaturesBackward>(words);
      feature_tables(it.d, it.n, it.features, it.stride, it.columns, it.rows, it.table, r0, r1);
      break;
    }
    default:
      unreachable();
  }
}

/** Carries out one chunk. */
function step(command: Command, chunk: i32, thread: i32): void {
  const operation = command.operation;
  if (operation >= OPERATION_PRODUCT_FORWARD && operation <= OPERATION_PRODUCT_WEIGHTS) productChunk(command, chunk, thread);
  else if (operation == OPERATION_ATTENTION_FORWARD || operation == OPERATION_ATTENTION_BACKWARD || operation == OPERATION_ATTENTION_WEIGHTS) attentionChunk(command, chunk, thread);
  else {
    const cut = changetype<Cut>(changetype<usize>(command)), r0 = chunk * cut.chunkItems;
    cutChunk(command, chunk, r0, min(r0 + cut.chunkItems, cut.items));
  }
}

/** See {@link runProgram}. */
export function run(control: usize, program: usize, count: i32): void {
  runProgram(control, program, count, step);
}

/** See {@link workProgram}. */
export function work(control: usize, program: usize, thread: i32): void {
  workProgram(control, program, thread, step);
}
