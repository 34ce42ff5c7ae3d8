/**
 * Attention here is the baseline's, with operands of 16 bits. Keys and values are a text's own and keep no budget: pairs of
 * them would fit beside queries of 7 bits only, and softmax's weights of 14 bits would have to pass in two halves,
 * which is two instructions where the baseline needs one.
 */
export * from "../baseline/attention";
