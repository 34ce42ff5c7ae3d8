"""Hugging Face `tokenizers` as the oracle of BPE and Unigram: character tables, golden files, parity dumps.

    python tools/make_subword_fixtures.py tables   > src/tokenizer/subword_tables.ts
    python tools/make_subword_fixtures.py fixtures test/tokenizer/fixtures
    python tools/make_subword_fixtures.py dump --lines 3000 --out folder texts.txt.gz sentences.tsv.gz rows.csv
    deno run -A test/tokenizer/subword_parity.ts folder

Needs `pip install tokenizers` (tables and fixtures in the repository were made with 0.23.3).

tables: kinds of characters, observed: every code point is shown to GPT-2's regular expression, and to the segmentation into
graphemes that the Precompiled normalizer works by. Written as differences from the tables of tokenizer_parity.py.

fixtures: tiny vocabularies trained on our own sentences, in the configurations of RoBERTa, GPT-2's relatives, XLM-R, CamemBERT,
ALBERT and Llama, and what they make of adversarial strings. The Unigram trainer does not give the same pieces twice, so a rerun
changes the file; what the test asks holds for any.

dump: a tokenizer trained on the texts themselves, and what it makes of them.
"""

import argparse
import csv
import gzip
import io
import json
import re
import struct
import sys
from pathlib import Path

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from tokenizer_parity import ADVERSARIAL, BASE64, CODE_POINTS, SENTENCES, encode_ranges

# ------------------------------------------------------------------------------------------------- charsmaps


def charsmap(rules, compact=False):
    """SentencePiece's compiled normalization: a double array and the replacements. Each node's children have a block of 256 of their
    own, or, if `compact`, the first places that are free."""
    array, blob, root, taken, bases = [0], bytearray(b"\0"), {}, {0}, set()
    for old, new in rules.items():
        node = root
        for byte in old.encode():
            node = node.setdefault(byte, {})
        node["value"] = len(blob)
        blob += new.encode() + b"\0"
    queue = [(0, root, 0)]
    while queue:
        at, node, label = queue.pop()
        labels = [0 if label == "value" else label for label in node]
        base = 1 if compact else -(-len(array) // 256) * 256
        while compact and (base in bases or any(base ^ label in taken for label in labels)):
            base += 1
        bases.add(base)
        taken.update(base ^ label for label in labels)
        array += [0] * ((base | 255) + 1 - len(array))
        array[at] = (at ^ base) << 10 | label | (0x100 if "value" in node else 0)
        if "value" in node:
            array[base] = node["value"] | 1 << 31
        queue += [(base ^ byte, child, byte) for byte, child in node.items() if byte != "value"]
    return struct.pack("<I", 4 * len(array)) + struct.pack(f"<{len(array)}I", *array) + bytes(blob)


def precompiled(rules):
    return normalizers.Precompiled(charsmap(rules)).normalize_str


# ---------------------------------------------------------------------------------------------------- tables


def earlier_table(name):
    """A table of unicode_tables.ts as a set."""
    source = (Path(__file__).parent.parent / "src/tokenizer/unicode_tables.ts").read_text()
    text = re.search(r"export const %s: string =\s*((?:\s*\"[^\"]*\"\s*\+?)+);" % name, source)[1]
    numbers, value, shift, out, at = [], 0, 0, set(), 0
    for character in "".join(re.findall(r'"([^"]*)"', text)):
        digit = BASE64.index(character)
        value |= (digit & 31) << shift
        shift += 5
        if digit < 32:
            numbers.append(value)
            value = shift = 0
    for gap, length in zip(numbers[::2], numbers[1::2]):
        out |= set(range(at + gap, at + gap + length + 1))
        at += gap + length + 1
    return out


def lookups(points, test, size=1500):
    """Of some code points, those whose own rule makes `test(normalize, character)` true."""
    found = []
    for i in range(0, len(points), size):
        part = points[i : i + size]
        normalize = precompiled({chr(c): "Y" for c in part})
        found += [c for c in part if test(normalize, chr(c))]
    return found


def tables():
    split = pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str
    letters = {c for c in CODE_POINTS if len(split("a" + chr(c))) == 1}
    numbers = {c for c in CODE_POINTS if len(split("1" + chr(c))) == 1}
    others = {c for c in CODE_POINTS if len(split("!" + chr(c))) == 1}
    assert set(CODE_POINTS) - letters - numbers - others == earlier_table("SPACE")
    # A grapheme of less than six bytes is replaced as a whole by the rule for its beginning.
    normalize = precompiled({"a": "b"})
    extends = {c for c in CODE_POINTS if normalize("a" + chr(c)) == "b"}
    prepends = lookups([c for c in CODE_POINTS if 0 < c < 0x20000], lambda f, c: f(c + " ") == "Y")
    breaks = lookups([c for c in CODE_POINTS if 0 < c < 0x10000], lambda f, c: f(c + "\u0301") != "Y")
    assert precompiled({"\r": "Y"})("\r\n") == "Y"
    word, mark = earlier_table("WORD"), earlier_table("MARK")
    out = {
        "NUMBER": (r"`\p{N}`.", numbers),
        "LETTER_CHANGES": (r"Where `\p{L}` is not WORD less MARK less NUMBER.", (word - mark - numbers) ^ letters),
        "EXTENDS_CHANGES": ("Where what extends a grapheme is not MARK.", mark ^ extends),
        "PREPENDS": ("Prepended to a grapheme.", prepends),
        "BREAKS": ("Never part of a grapheme of several characters, but for CR LF; below U+10000.", [0, *breaks]),
    }
    print(f"""/**
 * Character tables, generated by `tools/make_subword_fixtures.py tables`; do not edit.
 *
 * What Hugging Face tokenizers {tokenizers.__version__} does with every Unicode code point, observed; the
 * form is that of `unicode_tables.ts`.
 *
 * @module
 */
""")
    for i, (name, (what, points)) in enumerate(out.items()):
        data = encode_ranges(points)
        print(("\n" if i else "") + f"/** {what} */")
        chunks = [data[j : j + 94] for j in range(0, len(data), 94)]
        if len(chunks) == 1 and len(name) + len(data) < 72:
            print(f'export const {name}: string = "{data}";')
        else:
            print(f"export const {name}: string =\n  " + " +\n  ".join(f'"{c}"' for c in chunks) + ";")


# ------------------------------------------------------------------------------------------------ tokenizers

# In the manner of nmt_nfkc: white space, full-width forms, ligatures, letters with marks, characters deleted, and what the
# reference does not do as one would think: rules for several characters, of which the shortest wins.
RULES = {
    **{c: " " for c in "\t\n\r\u00a0\u2002\u3000\u200b\ufeff\u2581\ufffd"},
    **{c: "" for c in "\u0001\u0002\u007f\u00ad"},
    **{chr(0xFF01 + i): chr(0x21 + i) for i in range(94)},
    "\ufb01": "fi", "\u00bd": "1\u20442", "\u2460": "1", "\u338e": "mg", "\u2122": "TM", "\u2026": "...",
    "a\u0301": "\u00e1", "e\u0301": "\u00e9", "u\u0308": "\u00fc", "\u0958": "\u0915\u093c", "\u09df": "\u09af\u09bc",
    "\u09c7\u09be": "\u09cb", "q": "Q", "q\u0323": "!", "\u0600": "N", "1\u20e3": "one", "\u1161": "x", "\U0001f912": "ill",
    "\u00e4": "\u00e4\u00e4", "\u0301\u0323": "\u0323\u0301",
}  # fmt: skip
ROBERTA = ["<s>", "<pad>", "</s>", "<unk>"]
CAMEMBERT = ["<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>", "<unk>NOTUSED"]
ALBERT = ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"]
LLAMA = ["<unk>", "<s>", "</s>", *[f"<0x{byte:02X}>" for byte in range(256)]]


def template(tokenizer, cls, sep):
    ids = [(token, tokenizer.token_to_id(token)) for token in (cls, sep)]
    return processors.TemplateProcessing(single=f"{cls} $A {sep}", pair=None, special_tokens=ids)


def byte_level(texts, size, prefix, post="roberta", normalizer=None, full=True):
    tokenizer = Tokenizer(models.BPE())
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    alphabet = pre_tokenizers.ByteLevel.alphabet() if full else []
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=size, special_tokens=ROBERTA, show_progress=False,
                                                             initial_alphabet=alphabet))
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True)])
    if post == "roberta":
        tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=prefix)
    elif post == "sequence":
        tokenizer.post_processor = processors.Sequence([processors.ByteLevel(), template(tokenizer, "<s>", "</s>")])
    elif post == "bytes":
        tokenizer.post_processor = processors.ByteLevel()
    return tokenizer


def unigram(texts, size, special, ends, normalizer=None, pre_tokenizer=None, unk="<unk>", mask=None, byte_fallback=False):
    tokenizer = Tokenizer(models.Unigram())
    if normalizer:
        tokenizer.normalizer = normalizer
    if pre_tokenizer:
        tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.train_from_iterator(texts, trainers.UnigramTrainer(vocab_size=size, unk_token=unk, special_tokens=special,
                                                                 show_progress=False, shrinking_factor=0.75))
    if byte_fallback:
        content = json.loads(tokenizer.to_str())
        content["model"]["byte_fallback"] = True
        tokenizer = Tokenizer.from_str(json.dumps(content))
    if mask:
        tokenizer.add_special_tokens([mask])
    tokenizer.post_processor = template(tokenizer, *ends)
    return tokenizer


def metaspace_bpe(texts, size, scheme, fuse=True, fallback=True, normalizer=None, split=True, post=True):
    special = LLAMA if fallback else LLAMA[:3]
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=fuse, byte_fallback=fallback))
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")  # to learn words, not sentences
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=size, special_tokens=special, show_progress=False))
    content = json.loads(tokenizer.to_str())
    # Bytes are ordinary pieces; the trainer made them special tokens.
    content["added_tokens"] = [t for t in content["added_tokens"] if t["id"] < 3]
    tokenizer = Tokenizer.from_str(json.dumps(content))
    tokenizer.pre_tokenizer = scheme and pre_tokenizers.Metaspace(prepend_scheme=scheme, split=split)
    if post:
        tokenizer.post_processor = template(tokenizer, "<s>", "</s>")
    return tokenizer


def kinds(texts, size):
    """Each kind as a function, so that only those asked for are trained."""
    spaces = normalizers.Replace(Regex(" {2,}"), "\u2581")
    words = lambda: pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])  # noqa: E731
    compiled = lambda: normalizers.Precompiled(charsmap(RULES, compact=True))  # noqa: E731
    new = [AddedToken("new-tok", single_word=True), AddedToken("NEU-TOK", normalized=True),
           AddedToken("stuff", lstrip=True, rstrip=True, normalized=False), AddedToken("<a>")]

    def more(tokenizer):
        tokenizer.add_tokens(new)
        return tokenizer

    return {
        "roberta": lambda: byte_level(texts, size, False),
        "roberta, prefix space, added tokens": lambda: more(byte_level(texts, size, True)),
        "byte-level, NFC, lower-cased, Sequence": lambda: byte_level(
            texts, size, False, "sequence", normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])),
        "byte-level, letters missing": lambda: byte_level(texts, size - 200, False, "bytes", full=False),
        "xlmr": lambda: unigram(texts, size, ROBERTA, ("<s>", "</s>"), compiled(), words(), mask=AddedToken("<mask>", lstrip=True)),
        "xlmr, runs of spaces, added tokens": lambda: more(unigram(
            texts, size, ROBERTA, ("<s>", "</s>"), normalizers.Sequence([compiled(), normalizers.Replace(Regex(" {2,}"), " ")]),
            pre_tokenizers.Metaspace())),
        "NFKC, first only": lambda: unigram(texts, size, ROBERTA, ("<s>", "</s>"), normalizers.NFKC(),
                                            pre_tokenizers.Metaspace(prepend_scheme="first")),
        "camembert": lambda: unigram(
            texts, size, CAMEMBERT + ["<s>", "</s>"], ("<s>", "</s>"),
            normalizers.Sequence([normalizers.Replace("\n", " "), normalizers.Replace("\r", " "), normalizers.Replace("\t", " "),
                                  normalizers.Strip(left=False, right=True), spaces]),
            pre_tokenizers.Metaspace(prepend_scheme="always"), mask=AddedToken("<mask>", lstrip=True)),
        "albert": lambda: unigram(
            texts, size, ALBERT, ("[CLS]", "[SEP]"),
            normalizers.Sequence([normalizers.Replace("``", '"'), normalizers.Replace("''", '"'), normalizers.NFKD(),
                                  normalizers.StripAccents(), normalizers.Lowercase(), compiled(),
                                  normalizers.Replace(Regex(" {2,}"), " ")]),
            pre_tokenizers.Metaspace()),
        "unigram, bytes, not split": lambda: unigram(
            texts, size, LLAMA, ("<s>", "</s>"), None, pre_tokenizers.Metaspace(prepend_scheme="never", split=False),
            byte_fallback=True),
        "bpe, Metaspace, bytes": lambda: metaspace_bpe(texts, size, "always"),
        "bpe, Metaspace, unknown fused": lambda: metaspace_bpe(texts, size - 200, "first", True, False),
        "bpe, Metaspace, unknown alone": lambda: metaspace_bpe(texts, size - 200, "always", False, False, split=False),
        "bpe, Prepend, bytes, no post-processor": lambda: metaspace_bpe(
            texts, size, None, normalizer=normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")]),
            post=False),
    }


# -------------------------------------------------------------------------------------------------- fixtures

MORE = [
    "it's they're I'VE we'll 'tis 's' don't 'd'm it''s x'll",
    " '  's\t't \n're  \r\n a\u00a0\u00a0b \u3000c\u2003",
    "x  y   z    \n\n w\t\tv \t u  ",
    "abc123 12ab ½¾ ௧௨ ⅣⅤ x² ৫০০mg",
    "<s> রোগী </s> জ্বর<mask>  day <pad><unk> <0x41> <S>",
    "  <mask>  <mask>x <mask>",
    "▁ ▁▁a b▁c \u2581\u2581",
    "q\u0323 q\u0301x a\u0301 e\u0301\u0323 u\u0308n ﬁ\u0301 ™\u0301 \u0600a \u06001 \u0600\u0301 1\u20e3 1\ufe0f\u20e3",
    "\r\n\r\r\n\n \r\u0301 \u0001\u0301 \u200b\u0301 \ufeff\ufeffFever\ufffd \u200d\u200da",
    "ＦＥＶＥＲ　ｄａｙ １２３ ｆ\u0301 ㎎ … ½",
    "\u1112\u1161\u0301 \u1161\u0301\u1161 ä\u0308ä a\U0001f3fb é\U000e0101 \U000110bda",
    "``quoted'' ''x`` \"y\" 'z'",
    "ক্ষ ক্ষ্ম র‌্যা জ্ঞ ণ্ড ন্ত্র স্ত্রী a\u09cd b\u09be ঁঁ",
    "যায়। হয়েছে; ড়াল ঢ় \u0958",
    "жар и головная боль 发烧 頭痛 حمى बुख़ार காய்ச்சல்",
    "  two spaces  between   words ",
    "\u00a0fever\u00a0 \u200b fever\u200b,\u2028x",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa ababababab কককককককক " + "্" * 20,
    "prefix_under_score snake-case CamelCase http://a.b/c?d=e&f#g user@host.org 1,234.56 10:30",
]


def utf16(text):
    """Place of each code point, in UTF-16 code units."""
    places = [0]
    for character in text:
        places.append(places[-1] + (2 if ord(character) > 0xFFFF else 1))
    return places


def encode(tokenizer, text):
    readable = "".join("\ufffd" if 0xD800 <= ord(c) <= 0xDFFF else c for c in text.encode("utf-16", "surrogatepass")
                       .decode("utf-16", "replace")) if any(0xD800 <= ord(c) <= 0xDFFF for c in text) else text
    encoding, places = tokenizer.encode(readable, add_special_tokens=False), utf16(readable)
    return [encoding.ids, [places[s] for s, _ in encoding.offsets], [places[e] for _, e in encoding.offsets], encoding.word_ids]


def fixtures(folder):
    import unicodedata
    texts = list(dict.fromkeys([t for t in ADVERSARIAL if not any(0xD800 <= ord(c) <= 0xDFFF for c in t)] + MORE))
    forms = [*SENTENCES, *(unicodedata.normalize("NFC", s) for s in SENTENCES), *(s.lower() for s in SENTENCES)]
    cases = []
    for name, make in kinds(forms, 520).items():
        tokenizer = make()
        cases.append(dict(name=name, tokenizer=json.loads(tokenizer.to_str()), expected=[encode(tokenizer, t) for t in texts]))
        print(name, tokenizer.get_vocab_size(), file=sys.stderr)
    out = Path(folder) / "subword.json"
    out.write_text(json.dumps(dict(texts=texts, cases=cases), ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


# ------------------------------------------------------------------------------------------------------ dump


def read_texts(path):
    data = open(path, "rb").read()
    text = (gzip.decompress(data) if path.endswith(".gz") else data).decode("utf-8", "replace")
    if ".csv" in path:
        return [cell for row in csv.reader(io.StringIO(text)) for cell in row]
    if ".tsv" in path:  # a token and its tag a line, a blank line after a sentence
        return [" ".join(line.split("\t")[0] for line in part.splitlines()) for part in text.split("\n\n")]
    return text.split("\n")


def dump(args):
    texts = []
    for path in args.files:
        found = [t for t in read_texts(path) if len(t.strip()) > 10]
        texts += found[:: max(1, len(found) // (args.lines // len(args.files)))]
    known = kinds(texts[: len(texts) // 2], args.size)
    args.out.mkdir(parents=True, exist_ok=True)
    for number, (name, make) in enumerate(known.items()):
        if args.kind and name not in args.kind:
            continue
        tokenizer = make()
        json_file = args.out / f"{number}.json"
        tokenizer.save(str(json_file))
        with open(args.out / f"{number}.jsonl", "w", encoding="utf-8") as out:
            out.write(json.dumps(dict(json=str(json_file), allowStripAccents=True, name=name)) + "\n")
            for text in texts:
                ids, starts, ends, words = encode(tokenizer, text)
                out.write(json.dumps(dict(text=text, ids=ids, starts=starts, ends=ends, words=words)) + "\n")
        print(number, name, len(texts), file=sys.stderr)


def main():
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("tables")
    commands.add_parser("fixtures").add_argument("folder")
    dumper = commands.add_parser("dump")
    dumper.add_argument("--kind", action="append")
    dumper.add_argument("--lines", type=int, default=3000)
    dumper.add_argument("--size", type=int, default=4000)
    dumper.add_argument("--out", type=Path, required=True)
    dumper.add_argument("files", nargs="+")
    args = parser.parse_args()
    if args.command == "tables":
        tables()
    elif args.command == "fixtures":
        fixtures(args.folder)
    else:
        dump(args)


if __name__ == "__main__":
    main()
