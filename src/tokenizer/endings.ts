/**
 * Endings that are written joined to a noun's stem, by script.
 *
 * Bangla writes case, number and article at the end of a noun (চোখ eye, চোখের the eye's), and what annotators mark is
 * often the stem. Vocabularies cut words before these, and lists of terms are found in spite of them.
 *
 * Weak: no grammar is known, only strings.
 *
 * @module
 */

/** Endings by script, in NFC. */
export const ENDINGS: Readonly<Record<string, readonly string[]>> = {
  // Genitive, locative, objective, articles, plurals, emphatics, and the commonest of them together.
  Bengali: [
    ..."র ের য়ের এর কে রে তে ে য় টি টা টির টার টিকে টিতে খানা গুলি গুলো গুলির গুলোর গুলিকে গুলোকে".split(" "),
    ..."গুলিতে গুলোতে গুলিও গুলোও রা েরা দের দেরকে সমূহ সমূহের ও ই েও েই েরও েরই তেও তেই েতে কেও".split(
      " ",
    ),
    ..."জনিত যুক্ত".split(" "),
  ].map((ending) => ending.normalize("NFC")),
};
