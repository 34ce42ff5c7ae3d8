"""The default model's WordPiece vocabulary: 16,000 pieces from formal and health Bangla, with its tokenizer.json.

Bengali vowel signs are combining marks, so accents are never stripped. Text is NFC before BERT's own normalizer.

MedER's entities are often a word's stem (the entity `চোখ` in the word `চোখের`), and a token cannot be labelled in part. So a
piece that is a training entity plus a case ending, or that lies across an entity's end in the training texts, is left out of
the vocabulary, which makes the longest-match tokenizer split the word where the entity ends. The trainer is asked for more
pieces than are kept to make up for it.
"""

import argparse
import json
from collections import Counter
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from corpus import drug_names, open_texts, read
from meder import open_rows

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
SIZE = 16000
# Case, plural and article endings of Bangla nouns, as they are written joined to a stem.
ENDINGS = ["ের", "র", "ে", "য়", "কে", "তে", "টি", "টির", "টা", "গুলি", "গুলির", "গুলো", "গুলোর", "গুলিতে", "গুলিকে",
           "য়ের", "েও", "েরও", "ও", "ই", "রা", "দের", "েই", "েতে", "গুলিও", "জনিত", "যুক্ত"]

TAIL_ENDINGS = ["ের", "টি", "কে", "গুলি", "গুলির"]


def build(vocabulary):
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=100,
                                           continuing_subword_prefix="##"))
    tokenizer.normalizer = normalizers.Sequence([
        normalizers.NFC(),
        normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=True, strip_accents=False, lowercase=True),
    ])
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    if vocabulary:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
            special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])])
        tokenizer.add_special_tokens(SPECIALS)
    return tokenizer


def train(texts, size, minimum=2, alphabet=1000):
    """Pieces in the trainer's order: specials, letters, then merges from the most frequent on."""
    tokenizer = build({})
    trainer = trainers.WordPieceTrainer(vocab_size=size, min_frequency=minimum, limit_alphabet=alphabet,
                                        special_tokens=SPECIALS, continuing_subword_prefix="##", show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    vocabulary = tokenizer.get_vocab()
    return sorted(vocabulary, key=vocabulary.get)


def inflected(pieces, rows, normalizer):
    """Pieces that would hide the end of an entity: a training entity's last word plus an ending, and, for entities that are
    several pieces, any continuing piece that is another continuing piece plus one of the commonest endings."""
    stems = set()
    for index in open_rows(rows):
        for start, end, _ in rows[index].spans:
            word = normalizer.normalize_str(rows[index].text[start:end]).split()
            if word and len(word[-1]) > 2:
                stems.add(word[-1])
    known = set(pieces)
    forms = {normalizer.normalize_str(stem + ending) for stem in stems for ending in ENDINGS} - stems
    tails = {piece for piece in pieces for ending in TAIL_ENDINGS
             if piece.startswith("##") and piece.endswith(ending) and len(piece) > len(ending) + 2
             and piece[:-len(ending)] in known}
    return (forms & known) | tails


def straddling(tokenizer, rows, times=2):
    """Pieces that still lie across the end of a training entity, at least `times` times."""
    counts = Counter()
    for index in open_rows(rows):
        encoding = tokenizer.encode(rows[index].text, add_special_tokens=False)
        ends = {end for _, end, _ in rows[index].spans}
        for piece, (start, end) in zip(encoding.tokens, encoding.offsets):
            if any(start < at < end for at in ends):
                counts[piece] += 1
    return {piece for piece, count in counts.items() if count >= times and len(piece.removeprefix("##")) > 1}


def save(pieces, folder):
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = build({piece: index for index, piece in enumerate(pieces)})
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "vocab.txt").write_text("".join(piece + "\n" for piece in pieces), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "BertTokenizer", "do_lower_case": True, "strip_accents": False, "tokenize_chinese_chars": True,
        "model_max_length": 512, "unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]",
        "mask_token": "[MASK]",
    }, indent=2) + "\n")
    return tokenizer


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="data folder (bangla_text/, meder/, lexicons/)")
    parser.add_argument("--out", required=True, help="folder for tokenizer.json, tokenizer_config.json and vocab.txt")
    parser.add_argument("--parts", type=int, default=2, help="how many parts of bangla_text to read")
    parser.add_argument("--keep-inflected", action="store_true", help="do not leave inflected entity stems out")
    args = parser.parse_args()
    rows, lines = read(args.data, args.parts)
    # MedER is small beside the rest and is what the model is for, so it counts several times.
    texts = [line for part in lines for line in part] + open_texts(rows) * 5 + drug_names(args.data) * 3
    pieces = train(texts, SIZE if args.keep_inflected else SIZE + 3000)
    if not args.keep_inflected:
        left_out = inflected(pieces, rows, build({}).normalizer)
        print(f"{len(left_out)} inflected forms left out")
        while left_out:
            pieces = [piece for piece in pieces if piece not in left_out]
            left_out = straddling(build({piece: index for index, piece in enumerate(pieces[:SIZE])}), rows)
            print(f"{len(left_out)} pieces across an entity's end left out")
    save(pieces[:SIZE], Path(args.out))
    print(f"{len(pieces[:SIZE])} pieces")


if __name__ == "__main__":
    main()
