/** Where the model lies, for `Ner.load`. Bundlers that follow such expressions copy the file to where the page is. */
export const model = new URL("./meder-int8.safetensors", import.meta.url);
