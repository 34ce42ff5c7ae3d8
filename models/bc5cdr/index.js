/** Where the model lies, for `Ner.load`. Bundlers that follow such expressions copy the file to where the page is. */
export const model = new URL("./bc5cdr-int8.safetensors", import.meta.url);
