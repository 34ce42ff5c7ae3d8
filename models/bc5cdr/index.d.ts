declare global {
  /** Joined with what a program's own libraries say of it; for programs without any. */
  interface URL {
    href: string;
  }
}

/** Where the model lies, for `Ner.load`: a `file:` URL, or where a bundler put the file. */
export declare const model: URL;
