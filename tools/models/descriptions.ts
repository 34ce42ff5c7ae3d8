/**
 * The models that the repository holds, as descriptions: which corpora of a data folder, which lists, which options.
 *
 * That is all in which one model differs from another: `data.ts` makes files of a description and `plan.ts` the
 * commands. Another language is another description. Paths are of the data folder.
 *
 * Numbers of training come from experiments on validation texts: small models from random weights learn at 6e-4, few
 * texts are learnt by heart unless they differ from epoch to epoch, and lexicons help only where names are exchanged.
 *
 * @module
 */
import { MEDER } from "../reproduce/data.ts";
import { words } from "../reproduce/words.ts";

/** A corpus of other types, of which some are the model's. */
export interface Further {
  readonly file: string;
  /** Types of the model by the corpus' own; what else it labels is not looked at. */
  readonly types: Readonly<Record<string, string>>;
  /** Texts kept out of training, to judge by: the first of an order. */
  readonly held?: { readonly seed: number; readonly count: number };
  /** Its licence forbids commercial use. */
  readonly nonCommercial?: boolean;
}

/** Where terms come from, and which of them are taken. Lengths are of characters. */
export interface Source {
  /** The last column of a table of tab-separated values; or else */
  readonly column?: string;
  /** entities of a further corpus, but not of its held texts. */
  readonly entities?: { readonly corpus: string; readonly types: readonly string[] };
  /** What ends one term and begins another. */
  readonly cut?: RegExp;
  readonly shortest?: number;
  readonly longest?: number;
  readonly mostWords?: number;
  /** Leaves out what holds a reserved name ({@link Description.reserved}). */
  readonly unreserved?: boolean;
  /** So many of them, drawn at random. */
  readonly sample?: number;
}

/** Terms of a type. */
export interface TermList {
  readonly name: string;
  readonly type: string;
  readonly from: readonly Source[];
}

/** What a vocabulary is learnt from, and the options of `vocab`. */
export interface Vocabulary {
  /** A package of this repository whose vocabulary is taken, unless another is to be learnt. */
  readonly kept?: string;
  readonly texts: readonly string[];
  readonly terms?: readonly TermList[];
  readonly options: readonly string[];
}

/** A model. */
export interface Description {
  readonly name: string;
  /** Texts of the model's own types. */
  readonly labelled: {
    readonly file: string;
    /** Types by a table's columns. */
    readonly types?: Readonly<Record<string, string>>;
    /** Texts for the test; none: a tenth is held out for it. */
    readonly test?: string;
    /** Decides which tenths are held out. */
    readonly seed: number;
    /** A second split, in which texts about one thing stay together: what it is called, and the column that names it. */
    readonly apart?: { readonly name: string; readonly column: string };
  };
  readonly further: Readonly<Record<string, Further>>;
  readonly vocabulary: Vocabulary;
  /** Carried by the model. */
  readonly lexicons: readonly TermList[];
  /** Names that entities of the texts are exchanged for. */
  readonly names: readonly TermList[];
  /**
   * Half of a list's terms, those that no training text holds, are kept from lexicons and names. Held-out texts in
   * which they stand for the type's entities ask how names are found that nothing has told of.
   */
  readonly reserved?: { readonly column: string; readonly type: string; readonly seed: number };
  /** Plain texts of a further corpus that a student learns from, too. */
  readonly unlabelled?: {
    readonly corpus: string;
    readonly seed: number;
    readonly count: number;
  };
  /** Models that are trained; of more than one, a student learns. */
  readonly starts: number;
  /** Options of the encoder. */
  readonly encoder: readonly string[];
  /** Options of `train` and `distill`. */
  readonly training: readonly string[];
  /** Options of `train` alone. */
  readonly train: readonly string[];
  /** Options of `distill` alone. */
  readonly distill: readonly string[];
  /** Options of `convert`. */
  readonly convert: readonly string[];
  /** By type: how far its labels are moved at words that the model's dictionary knows, and at the others. */
  readonly shifts?: Readonly<Record<string, { readonly known: number; readonly unknown: number }>>;
}

const TRAINING = [
  ...words("--warmup 0.055 --dropout 0.15 --beta2 0.98 --weight-decay 0.02 --average 0.99"),
  ...words("--batch-texts 16 --batch-tokens 8192 --clip 0.1 --patience 9"),
  ...words("--exchange 0.3 --mask 0.07 --resplit 0.1 --dictionary"),
];
const ENCODER = words("--hidden 256 --layers 4 --heads 4 --positions 512");

const DRUGS = { column: "lexicons/drug_en_bn.tsv" } as const;
const DISEASES = { column: "lexicons/disease_en_bn.tsv" } as const;

/** Bangla medical texts, the default model. */
export const BANGLA: Description = {
  name: "meder",
  labelled: {
    file: "meder/MedER_Dataset_Bengali_Entity_V2.csv",
    types: MEDER,
    seed: 2605,
    apart: { name: "drug", column: "Medicine\\ Chemical Name" },
  },
  further: {
    consumer: {
      file: "bangla_health_ner/train.tsv.gz",
      types: { Medicine: "MED" },
      held: { seed: 7, count: 400 },
      nonCommercial: true,
    },
  },
  vocabulary: {
    // Of a trainer that chose among equally frequent pieces by chance: nothing makes it again.
    kept: "models/meder/meder-int8.safetensors",
    texts: ["bangla_text/part-00.txt.gz", "bangla_text/part-01.txt.gz"],
    terms: [{ name: "drugs", type: "MED", from: [{ column: "lexicons/drug_generics.tsv" }] }],
    options: words("--size 16000 --endings Bengali"),
  },
  lexicons: [
    { name: "drugs", type: "MED", from: [{ ...DRUGS, unreserved: true }] },
    { name: "diseases", type: "DIS", from: [DISEASES] },
    {
      name: "consumer-medicines",
      type: "MED",
      from: [{ entities: { corpus: "consumer", types: ["Medicine"] }, unreserved: true }],
    },
    {
      name: "consumer-conditions",
      type: "DIS",
      from: [{
        entities: { corpus: "consumer", types: ["Symptom", "Health Condition"] },
        mostWords: 3,
      }],
    },
  ],
  names: [
    {
      name: "drugs",
      type: "MED",
      from: [
        {
          entities: { corpus: "consumer", types: ["Medicine"] },
          shortest: 4,
          longest: 29,
          unreserved: true,
          sample: 150,
        },
        { ...DRUGS, unreserved: true },
      ],
    },
    { name: "diseases", type: "DIS", from: [DISEASES] },
  ],
  reserved: { ...DRUGS, type: "MED", seed: 11 },
  unlabelled: { corpus: "consumer", seed: 3, count: 900 },
  starts: 3,
  encoder: ENCODER,
  training: [...TRAINING, "--inflected", ...words("--also-texts 400")],
  train: words("--epochs 9 --rate 6e-4"),
  distill: words("--epochs 4 --rate 4e-4"),
  convert: words("--lanes 255 --whole-words"),
  // Chosen on the validation texts of both splits. Of medicines there are always new ones.
  shifts: {
    MED: { known: 0, unknown: 0.9 },
    CMT: { known: 0.2, unknown: -0.2 },
    DIS: { known: 0.2, unknown: -0.2 },
    HOR: { known: 0.2, unknown: -0.2 },
    ORG: { known: 0.2, unknown: -0.2 },
    PHA: { known: 0.2, unknown: -0.2 },
  },
};

const GENERICS = { column: "lexicons/drug_generics.tsv", cut: /[+(),/]/, shortest: 4 } as const;
const ONTOLOGY = { column: "lexicons/disease_ontology.tsv" } as const;

/** English abstracts: diseases and chemicals. */
export const ENGLISH: Description = {
  name: "bc5cdr",
  labelled: {
    file: "bc5cdr_english/train.tsv.gz",
    test: "bc5cdr_english/validation.tsv.gz",
    seed: 1,
  },
  further: {
    ncbi: { file: "english_biomedical/ncbi_disease_train.tsv.gz", types: { Disease: "Disease" } },
    chemicals: {
      file: "english_biomedical/chemical_partial.tsv.gz",
      types: { Chemical: "Chemical", CHEBI: "Chemical", Simple_chemical: "Chemical" },
    },
  },
  vocabulary: { texts: ["english_biomedical/text.txt.gz"], options: words("--size 12000") },
  lexicons: [
    { name: "generics", type: "Chemical", from: [GENERICS] },
    {
      name: "chemicals",
      type: "Chemical",
      from: [{
        entities: { corpus: "chemicals", types: ["Chemical", "CHEBI", "Simple_chemical"] },
      }],
    },
    { name: "ontology", type: "Disease", from: [ONTOLOGY] },
    { name: "symptoms", type: "Disease", from: [{ column: "lexicons/symptom_ontology.tsv" }] },
    {
      name: "ncbi",
      type: "Disease",
      from: [{ entities: { corpus: "ncbi", types: ["Disease"] } }],
    },
  ],
  names: [
    { name: "generics", type: "Chemical", from: [{ ...GENERICS, longest: 24, sample: 600 }] },
    { name: "ontology", type: "Disease", from: [{ ...ONTOLOGY, longest: 29, sample: 600 }] },
  ],
  starts: 1,
  encoder: ENCODER,
  training: [...TRAINING, ...words("--also-texts 1500")],
  train: words("--epochs 8 --rate 6e-4"),
  distill: words("--epochs 4 --rate 4e-4"),
  convert: words("--lanes 255 --whole-words"),
};

/** All of them. */
export const MODELS: readonly Description[] = [BANGLA, ENGLISH];
