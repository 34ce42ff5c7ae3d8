"""Hugging Face `tokenizers` as the oracle of src/tokenizer/: its character tables, golden files, parity dumps.

    python tools/tokenizer_parity.py tables   > src/tokenizer/unicode_tables.ts
    python tools/tokenizer_parity.py fixtures test/tokenizer/fixtures
    python tools/tokenizer_parity.py dump --tokenizer folder_or_vocab.txt --lines 20000 --out x.jsonl a.txt.gz b.csv
    deno run -A test/tokenizer/parity.ts x.jsonl

Needs `pip install tokenizers` (tables and fixtures in the repository were made with 0.23.3).

tables: the library is built on four Unicode versions at once (categories of 2015, normalization 9.0,
lower-casing of its compiler, `\\w` of its regex crate). No list of versions would reproduce that, so every code
point is shown to it and what it does is written down. The output is a generated TypeScript module.

fixtures: adversarial strings and a small vocabulary of our own sentences, encoded in several configurations.

dump: texts with their ids and offsets, offsets converted from code points to UTF-16 code units; a line of
figures (load time, tokens per second, both in processor time) goes to stderr.
"""

import argparse
import csv
import gzip
import io
import json
import os
import sys
import time
import unicodedata

import tokenizers
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers
from tokenizers.implementations import BertWordPieceTokenizer

CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]

# ---------------------------------------------------------------------------------------------------- tables


def ranges(points):
    """Sorted code points as [first, last] runs."""
    runs = []
    for c in sorted(points):
        if runs and runs[-1][1] == c - 1:
            runs[-1][1] = c
        else:
            runs.append([c, c])
    return runs


BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def vlq(values):
    """Non-negative integers, five bits a digit, least first, bit 32 = more follows (source maps' digits)."""
    out = []
    for v in values:
        while v > 31:
            out.append(BASE64[v & 31 | 32])
            v >>= 5
        out.append(BASE64[v])
    return "".join(out)


def encode_ranges(points):
    """For each run: the gap since the end of the last one, and its length less one."""
    values, at = [], 0
    for first, last in ranges(points):
        values += [first - at, last - first]
        at = last + 1
    return vlq(values)


def combining_classes(nfd):
    """Canonical combining class of every code point as the library's own reordering shows it."""
    probes = {}
    for c in CODE_POINTS:
        k = unicodedata.combining(chr(c))
        # 214 has no member that is older; U+1DCE is of Unicode 5.1.
        if k and (unicodedata.ucd_3_2_0.combining(chr(c)) == k or c == 0x1DCE) and nfd(chr(c)) == chr(c):
            probes.setdefault(k, chr(c))
    found = {}
    for c in CODE_POINTS:
        ch = chr(c)
        if nfd(ch) != ch:
            continue
        low, high = probes[min(probes)], probes[max(probes)]
        if nfd(ch + low) == ch + low and nfd(high + ch) == high + ch:
            continue
        # A class is neither above nor below its own probe: nothing moves.
        same = [k for k, p in probes.items() if nfd(ch + p) == ch + p and nfd(p + ch) == p + ch]
        assert len(same) == 1, (hex(c), same)
        found[c] = same[0]
    return found


def encode_classes(classes):
    values, at, runs = [], 0, []
    for c in sorted(classes):
        if runs and runs[-1][1] == c - 1 and runs[-1][2] == classes[c]:
            runs[-1][1] = c
        else:
            runs.append([c, c, classes[c]])
    for first, last, k in runs:
        values += [first - at, last - first, k]
        at = last + 1
    return vlq(values)


def encode_lowercase():
    lower = normalizers.Lowercase().normalize_str
    pairs = {}
    for c in CODE_POINTS:
        to = lower(chr(c))
        if to != chr(c):
            if len(to) != 1:
                assert c == 0x130 and to == "i\u0307", hex(c)  # the one that grows; code, not table
                continue
            assert (c < 0x10000) == (ord(to) < 0x10000), hex(c)
            pairs[c] = ord(to)
    # Runs of one step (1, or 2 where capitals and small letters alternate) and one difference.
    runs = []
    for c in sorted(pairs):
        d = pairs[c] - c
        if runs:
            r = runs[-1]
            step = c - r["last"]
            if d == r["delta"] and step in (1, 2) and (r["step"] in (0, step)):
                r["step"], r["last"], r["count"] = step, c, r["count"] + 1
                continue
        runs.append({"first": c, "last": c, "count": 1, "step": 0, "delta": d})
    values, at = [], 0
    for r in runs:
        sign = 1 if r["delta"] < 0 else 0
        values += [r["first"] - at, (r["count"] - 1) * 2 + (1 if r["step"] == 2 else 0), abs(r["delta"]) * 2 + sign]
        at = r["last"] + 1
    return vlq(values)


def tables():
    def where(test):
        return [c for c in CODE_POINTS if test(chr(c))]

    def bert(**on):
        flags = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
        return normalizers.BertNormalizer(**{**flags, **on}).normalize_str

    nfc, nfd = normalizers.NFC().normalize_str, normalizers.NFD().normalize_str
    nfkc, nfkd = normalizers.NFKC().normalize_str, normalizers.NFKD().normalize_str
    clean, strip, marks = bert(clean_text=True), bert(strip_accents=True), normalizers.StripAccents().normalize_str
    pieces, words = pre_tokenizers.BertPreTokenizer().pre_tokenize_str, pre_tokenizers.Whitespace().pre_tokenize_str

    classes = combining_classes(nfd)
    changes_d = where(lambda s: nfd(s) != s)
    changes_k = where(lambda s: nfkc(s) != s)
    changes_c = where(lambda s: nfc(s) != s)
    assert set(where(lambda s: nfkd(s) != s)) == set(changes_d) | set(changes_k)

    # Pairs that compose: what stands first, and what stands second with class 0 (class > 0 joins anyway).
    first, second = set(range(0x1100, 0x1113)) | set(range(0xAC00, 0xD7A4)), set()
    for p in changes_d:
        parts = unicodedata.decomposition(chr(p)).split()
        if not 0xAC00 <= p <= 0xD7A3 and len(parts) == 2 and not parts[0].startswith("<"):
            a, b = (int(x, 16) for x in parts)
            if nfc(chr(a) + chr(b)) == chr(p):
                first.add(a)
                second.add(b)
    joins = {c for c in second if c not in classes} | set(range(0x1161, 0x1176)) | set(range(0x11A8, 0x11C3))
    # A character whose decomposition begins with a joining one joins as well.
    joins |= {c for c in set(changes_d) | set(changes_k) if ord(nfkd(chr(c))[0]) in joins | set(classes)}
    first |= set(changes_d)  # a mark can belong inside a composed character: it is taken apart
    # A gap between two firsts may be filled if all in it is old: it saves bytes and changes nothing.
    for (_, a), (b, _) in zip(ranges(first)[:-1], ranges(first)[1:]):
        gap = range(a + 1, b)
        if len(gap) < 64 and all(unicodedata.ucd_3_2_0.category(chr(c)) != "Cn" for c in gap):
            first |= set(gap)

    space = where(lambda s: s.isspace() and len(pieces("a" + s + "b")) == 2)
    assert space == where(lambda s: len(pieces("a" + s + "b")) == 2)
    out = {
        "SPACE": ("White_Space, as char::is_whitespace has it.", encode_ranges(space)),
        "PUNCTUATION": ("Isolated by BertPreTokenizer: ASCII punctuation and symbols, and P*.",
                        encode_ranges(where(lambda s: len(pieces("a" + s + "b")) == 3))),
        "WORD": ("`\\w` of the Whitespace pre-tokenizer and of single_word.",
                 encode_ranges(where(lambda s: len(words("a" + s + "b")) == 1))),
        "CONTROL": ("Deleted by clean_text: NUL, U+FFFD, Cc, Cf and Co, less tab, LF and CR.",
                    encode_ranges(where(lambda s: clean("a" + s + "b") == "ab"))),
        "CJK": ("Set apart by handle_chinese_chars.",
                encode_ranges(where(lambda s: bert(handle_chinese_chars=True)(s) == f" {s} "))),
        "NONSPACING": ("Mn: deleted by strip_accents, after NFD.",
                       encode_ranges(where(lambda s: nfd(s) == s and strip("a" + s + "b") == "ab"))),
        "MARK": ("Mn, Mc and Me: deleted by the StripAccents normalizer.",
                 encode_ranges(where(lambda s: marks("a" + s + "b") == "ab"))),
        "LOWERCASE": ("Runs of first (gap), 2 * (count - 1) + (step is 2), 2 * |difference| + (negative).",
                      encode_lowercase()),
        "CLASSES": ("Canonical combining classes above 0: runs of first (gap), count - 1, class.",
                    encode_classes(classes)),
        "JOINS": ("Class 0 but may combine with what precedes.", encode_ranges(joins)),
        "FIRST": ("May compose with a joining character that follows, or be taken apart by it.", encode_ranges(first)),
        "CHANGES_C": ("Alone, changed by NFC.", encode_ranges(changes_c)),
        "CHANGES_D": ("Alone, changed by NFD.", encode_ranges(changes_d)),
        "CHANGES_K": ("Alone, changed by NFKC; by NFKD those of CHANGES_D as well.", encode_ranges(changes_k)),
    }
    print(f"""/**
 * Character tables, generated by `tools/tokenizer_parity.py tables`; do not edit.
 *
 * What Hugging Face tokenizers {tokenizers.__version__} does with every Unicode code point, observed. Its parts are of
 * different Unicode versions, and no engine's `\\\\p{{...}}` agrees with it or with another engine's; a
 * tokenizer that follows a table gives the same ids everywhere.
 *
 * Each string is a list of numbers in base64 digits, least first, five bits a digit, the sixth bit saying
 * that more follow. A range is the gap since the last one's end and its length less one.
 *
 * @module
 */
""".replace("\\\\", "\\"))
    for i, (name, (what, data)) in enumerate(out.items()):
        if i:
            print()
        print(f"/** {what} */")
        chunks = [data[j : j + 94] for j in range(0, len(data), 94)]
        if len(chunks) == 1 and len(name) + len(data) < 72:
            print(f'export const {name}: string = "{data}";')
        else:
            print(f"export const {name}: string =\n  " + " +\n  ".join(f'"{c}"' for c in chunks) + ";")
    print(f"{sum(len(d) for _, d in out.values())} characters of tables", file=sys.stderr)


# -------------------------------------------------------------------------------------------------- fixtures

# Our own sentences; the vocabulary is made of their words, halves of their words, and their letters.
SENTENCES = [
    "রোগীর জ্বর ও মাথাব্যথা কমাতে প্যারাসিটামল দেওয়া হয়েছে।",
    "ডায়াবেটিস রোগে ইনসুলিন হরমোনের মাত্রা নিয়মিত পরীক্ষা করুন।",
    "ওষুধটি দিনে দুইবার খাবারের পরে ৫০০mg করে খেতে হবে।",
    "ক্ষুদ্রান্ত্রে প্রদাহ হলে পেটে ব্যথা, বমি ও দুর্বলতা দেখা দেয়।",
    "The patient was given metformin 850 mg twice a day after meals.",
    "Fever and headache are common symptoms of dengue infection.",
    "The naïve café owner drank a cup of Ångström tea in Zürich.",
]

ADVERSARIAL = [
    "",
    " ",
    "\t \r\n\u3000",
    *SENTENCES,
    # য় and its relatives: one code point, or letter and nukta
    "দেওয়া হয়েছে",
    "দেওয\u09bcা হয\u09bcেছে",
    "ড়ঢ়য় ড\u09bcঢ\u09bcয\u09bc",
    # ো and ৌ: one sign or two
    "রোগ র\u09c7\u09beগ মৌ ম\u09c7\u09d7",
    # nukta after virama is out of canonical order
    "ক\u09cd\u09bcষ ক\u09bc\u09cdষ",
    # joiners: deleted by clean_text, inside words and at their ends
    "র\u200d্যাব র\u200c্যাব \u200dওষুধ\u200c ওষুধ\u200d\u200c",
    "জ\u09cd\u200cবর জ\u09cd\u200dবর",
    "ব্যথা।বমি॥জ্বর।",
    "৫০০mg ৫০০ মি.গ্রা. 850mg/দিন ৳৫০",
    "রোগী(র) \"জ্বর\"-এর",
    # BOM, NUL, controls, private use, replacement characters
    "\ufeffThe patient",
    "a\x00b\x01c\x7fd\x85e\xa0f\xadg",
    "fever\ufffdfever \ue000 \U000f0000day",
    "\u202eday\u202c \u2066and\u2069 \u200eof\u200f",
    "tab\tand\r\nline\x0b\x0cfeed\u2028sep\u2029par",
    # lower-casing that changes length or needs more than a letter
    "İstanbul IĞDIR ıi İİİ",
    "STRASSE Straße ẞ ΣΑΣ ΟΔΟΣ ǅ \u212a\u212b\u2126",
    "FEVER And DENGUE 𐐀𐐨 Ꭰꭰ Ა",
    # accents: composed, decomposed, out of order, alone
    "naïve café nai\u0308ve cafe\u0301 Zu\u0308rich A\u030angstro\u0308m",
    "q\u0307\u0323 q\u0323\u0307 \u1e69 s\u0307\u0323 \u1e61\u0323 \u1e63\u0307",
    "\u1eed\u0328 \u0301 \u0301\u0323a \u0344 \u0958",
    "a" + "\u0301\u0323" * 60 + "b",
    "e\u0301" * 70,
    # astral: emoji, joined emoji, flags, ideographs, other scripts
    "জ্বর🤒 👨\u200d👩\u200d👧 👍🏽 🇧🇩 1\ufe0f\u20e3",
    "𠀀𠮷a𪛖 中文ab漢字 ㍑ 﨑",
    "𑄇𑄋𑄴𑄟𑄳𑄦 𑂍𑂺 𝒻𝑒𝓋𝑒𝓇",
    # lone surrogates, read as U+FFFD
    "a\ud800b \udc00day\ud83d",
    "\ud83d\ud83d\ude00\ude00",
    # Hangul, kana with separate voicing marks, Arabic, Hebrew, Thai
    "한국 \u1112\u1161\u11ab\u1100\u116e\u11a8 \uac00\u11a8 ㅎㅏㄴ",
    "が か\u3099 ｶﾞ パ ﾊ\uff9f",
    "الحُمّى שָׁלוֹם ไข้ กำ",
    "हिन्दी क़ज़ தமிழ் కొ ක්‍ෂ ြမန်မာ",
    # characters that are newer than the reference's tables
    "\u09fe\u09fd \u1df6\u0323 \U000105d2\u0307 \U00011938 \u32ff \U00010d50 \U0001611e\u16129",
    # compatibility forms
    "ﬁbre ½ ① Ⅳ ﷺ ㎎ ｆｅｖｅｒ x²",
    # special tokens in a text
    "[CLS] রোগী [SEP] জ্বর[SEP][SEP] [MASK]day [sep] [ SEP ] [UNK] [PAD]",
    "new-tok anew-tok new-toks NEW-TOK neu-tok NEU-TOKs  stuff  stuff fever-stuff<a><ab><abc><abcd>",
    "5 mg/kg 5mg/kg mg/kgx kgs",
    "##fever # ##ing _under_score_ a.b,c;d!?…—–‘’“”«»",
    "$5 + 3 = 8 < 9 ^ ` | ~ © ® ° ± × ÷",
    # words too long
    "a" * 100 + " " + "a" * 101 + " " + "ক" * 100 + " " + "ক" * 101,
    "😀" * 100 + " " + "😀" * 101,
    "ক\u09bc" * 50 + " " + "\u09dc" * 60,
    " leading and trailing ",
    "zzz unknownwordxyz জ্বরzzz",
]

NEW_TOKENS = [
    AddedToken("new-tok", single_word=True),
    # No two with one normalized form: which of them the reference takes differs from run to run.
    AddedToken("NEU-TOK", normalized=True),
    AddedToken("stuff", lstrip=True, rstrip=True, normalized=False),
    AddedToken("mg/kg", single_word=True),
    AddedToken("kg"),
    AddedToken("<a>"),
    AddedToken("<ab>", normalized=False),
    AddedToken("<abc>", normalized=True, rstrip=True),
    AddedToken("য়", normalized=True),
]


def small_vocab():
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    forms = [lambda s: s, str.lower, lambda s: unicodedata.normalize("NFC", s),
             lambda s: "".join(c for c in unicodedata.normalize("NFD", s.lower()) if unicodedata.category(c) != "Mn")]
    pieces = []
    for i, word in enumerate(w for s in SENTENCES for w in s.rstrip("।.").replace(",", "").split()):
        for form in forms:
            w = form(word)
            cut = len(w) // 2
            pieces += [w] if i % 2 else [w[:cut], "##" + w[cut:]]
    letters = sorted({c for s in SENTENCES for f in forms for c in f(s) if c > " " and c not in "qzঢ"})
    extra = list("𠀀𠮷中文漢🤒👍😀।॥,.-[]<>()#") + ["한", "국", "ᄒ", "##ᅡ", "##ᆫ", "##한", "##국", "𐐨", "ß", "i̇", "##i̇"]
    marks = ["\u0301", "\u0323", "\u0307", "\u0308", "\u030a", "\u09bc", "\u09cd", "\u200d", "\u09dc", "\u09df"]
    pieces += [p for c in letters + marks + extra for p in (c, "##" + c if not c.startswith("##") else c)]
    return list(dict.fromkeys(special + [p for p in pieces if p not in ("", "##")]))


def fixtures(folder):
    pieces = small_vocab()
    vocab = {p: i for i, p in enumerate(pieces)}
    n, p = normalizers, pre_tokenizers
    special = [AddedToken(t, special=True, normalized=False) for t in pieces[:5]]

    def bert(**on):
        return n.BertNormalizer(**{**dict(strip_accents=False, lowercase=False), **on})

    setups = {
        "cased": (bert(), p.BertPreTokenizer(), special),
        "NFC, cased": (n.Sequence([n.NFC(), bert()]), p.BertPreTokenizer(), special),
        "uncased, accents stripped": (bert(lowercase=True, strip_accents=None), p.BertPreTokenizer(), special),
        "lower-cased, accents kept": (bert(lowercase=True), p.BertPreTokenizer(), special + NEW_TOKENS),
        "NFKC, Whitespace": (n.Sequence([n.NFKC(), n.Lowercase()]), p.Whitespace(), special + NEW_TOKENS),
        "NFD without marks": (n.Sequence([n.NFD(), n.StripAccents(), n.Strip(), n.Replace("…", "day")]),
                              p.Sequence([p.WhitespaceSplit(), p.Punctuation()]), NEW_TOKENS),
        "NFKD": (n.NFKD(), p.Sequence([p.Whitespace(), p.Punctuation()]), special),
        "bare": (None, None, special),
    }
    cases = []
    for name, (normalizer, pre_tokenizer, added) in setups.items():
        tokenizer = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]", max_input_chars_per_word=100))
        if normalizer:
            tokenizer.normalizer = normalizer
        if pre_tokenizer:
            tokenizer.pre_tokenizer = pre_tokenizer
        tokenizer.add_tokens(added)
        content = json.loads(tokenizer.to_str())
        del content["model"]["vocab"]  # the same in all: kept once
        expected = []
        for text in ADVERSARIAL:
            # A lone surrogate cannot be handed over; it is one code unit, and so is what replaces it.
            whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
            e = encode(tokenizer, whole)
            expected.append([e["ids"], e["starts"], e["ends"], e["words"]])
        cases.append({"name": name, "tokenizer": content, "expected": expected})
    path = os.path.join(folder, "golden.json")
    with open(path, "w") as f:
        dumps = lambda x: json.dumps(x, separators=(",", ":"))
        f.write('{"source":' + dumps(f"Hugging Face tokenizers {tokenizers.__version__}"))
        f.write(',\n"pieces":' + dumps(pieces))
        f.write(',\n"texts":[\n' + ",\n".join(map(dumps, ADVERSARIAL)) + "]")
        rows = ['{"name":%s,"tokenizer":%s,"expected":[\n%s]}' % (
            dumps(c["name"]), dumps(c["tokenizer"]), ",\n".join(map(dumps, c["expected"]))) for c in cases]
        f.write(',\n"cases":[\n' + ",\n".join(rows) + "]}\n")
    print(f"{len(pieces)} pieces, {len(ADVERSARIAL)} texts, {len(cases)} configurations", file=sys.stderr)


# ------------------------------------------------------------------------------------------------------ dump


def units_before(text):
    """For each code point boundary of the text, the number of UTF-16 code units before it."""
    out, n = [0], 0
    for ch in text:
        n += 2 if ch > "\uffff" else 1
        out.append(n)
    return out


def encode(tokenizer, text):
    """ids, starts, ends and words of a text, without special tokens, positions in UTF-16 code units."""
    e = tokenizer.encode(text, add_special_tokens=False)
    if text and max(text) > "\uffff":
        at = units_before(text)
        starts, ends = [at[a] for a, _ in e.offsets], [at[b] for _, b in e.offsets]
    else:
        starts, ends = [a for a, _ in e.offsets], [b for _, b in e.offsets]
    return {"ids": e.ids, "starts": starts, "ends": ends, "words": e.word_ids}


def from_vocab(path, lowercase, strip_accents):
    return BertWordPieceTokenizer.from_file(path, lowercase=lowercase, strip_accents=strip_accents)._tokenizer


def read_lines(paths, count):
    """Lines of text files, cells of CSV files, gzip or not, blank ones left out: `count` in all."""
    texts = []
    for path in paths:
        raw = gzip.open(path, "rb") if path.endswith(".gz") else open(path, "rb")
        with raw, io.TextIOWrapper(raw, encoding="utf-8", errors="replace", newline="\n") as f:
            cells = (c for row in csv.reader(f) for c in row) if ".csv" in path else (x[:-1] for x in f)
            for cell in cells:
                if len(texts) == count:
                    return texts
                if cell.strip():
                    texts.append(cell)
    return texts


def dump(args):
    began = time.process_time()
    strip = {"true": True, "false": False, "null": None}[args.strip_accents]
    source = {"allowStripAccents": True}
    if os.path.isdir(args.tokenizer):
        source["json"] = os.path.abspath(os.path.join(args.tokenizer, "tokenizer.json"))
        tokenizer = Tokenizer.from_file(source["json"])
    else:
        source["vocab"] = os.path.abspath(args.tokenizer)
        source["config"] = {"do_lower_case": args.lowercase, "strip_accents": strip}
        tokenizer = from_vocab(args.tokenizer, args.lowercase, strip)
    loaded = time.process_time()
    tokenizer.no_truncation()
    tokenizer.no_padding()
    texts = read_lines(args.texts, args.lines)
    began_encoding = time.process_time()
    n = sum(len(tokenizer.encode(t, add_special_tokens=False)) for t in texts)
    one = time.process_time() - began_encoding
    with open(args.out, "w", encoding="utf-8") as f:
        f.write(json.dumps(source) + "\n")
        for text in texts:
            f.write(json.dumps({"text": text, **encode(tokenizer, text)}, ensure_ascii=False) + "\n")
    print(f"{len(texts)} texts, {n} tokens; load {1000 * (loaded - began):.0f} ms, "
          f"encode one by one {n / one / 1e3:.0f}k tokens/s", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    commands.add_parser("tables").set_defaults(run=lambda _: tables())
    p = commands.add_parser("fixtures")
    p.add_argument("folder")
    p.set_defaults(run=lambda args: fixtures(args.folder))
    p = commands.add_parser("dump")
    p.add_argument("--tokenizer", required=True, help="folder with tokenizer.json, or vocab.txt")
    p.add_argument("--lowercase", action="store_true", help="for a vocab.txt")
    p.add_argument("--strip-accents", choices=["true", "false", "null"], default="false", help="for a vocab.txt")
    p.add_argument("--lines", type=int, default=20000)
    p.add_argument("--out", required=True)
    p.add_argument("texts", nargs="+")
    p.set_defaults(run=dump)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
