/** The model's bytes, where a bundler or a worker's configuration imports files as data: `Ner.fromBytes(new Uint8Array(bytes))`. */
declare const bytes: ArrayBuffer;
export default bytes;
