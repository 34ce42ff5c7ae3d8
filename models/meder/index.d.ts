/** Where the model lies, for `Ner.load`: a `file:` URL, or where a bundler put the file. */
export declare const model: URL;
