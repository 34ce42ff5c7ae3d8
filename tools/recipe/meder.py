"""MedER (Bangla medical texts with six lists of entities a row) as spans, splits and token labels.

The mapping is the paper's (arXiv 2605.25463): every listed entity is searched in its row's text, longest first, and every
occurrence that overlaps no earlier one becomes a span. Matches inside words (inflected forms) are kept. A sub-word takes the
label of the span that holds its first character, so at token level a span may be a little longer than its text.

Run as a program, it writes the splits as JSON lines with UTF-16 offsets (what JavaScript's `slice` takes).
"""

import argparse
import csv
import json
import random
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

COLUMNS = {
    "MED": "Medicine\\ Chemical Name",
    "ORG": "Organ",
    "DIS": "Disease",
    "HOR": "Hormone",
    "PHA": "Pharmacological Class",
    "CMT": "Common Medical Terms",
}
TYPES = list(COLUMNS)
LABELS = ["O"] + [f"{prefix}-{kind}" for kind in TYPES for prefix in "BI"]
LABEL_ID = {label: index for index, label in enumerate(LABELS)}
SPLIT_SEED = 2605


@dataclass
class Row:
    """A text, its entities as (start, end, type) in code points, and the medicines it is about."""

    text: str
    spans: list
    medicines: list
    listed: Counter = field(default_factory=Counter)
    found: Counter = field(default_factory=Counter)


def find_spans(text, entities):
    """Longest-first substring search of (surface, type) pairs; no overlaps; sorted by position."""
    taken = bytearray(len(text))
    spans = []
    for surface, kind in sorted(set(entities), key=lambda e: (-len(e[0]), TYPES.index(e[1]), e[0])):
        start = text.find(surface)
        while start >= 0:
            end = start + len(surface)
            if not any(taken[start:end]):
                taken[start:end] = b"\1" * len(surface)
                spans.append((start, end, kind))
            start = text.find(surface, start + 1)
    return sorted(spans)


def load_rows(data_folder):
    """Distinct rows of the MedER CSV under `data_folder`/meder, in file order."""
    path = sorted(Path(data_folder, "meder").glob("*.csv"))[0]
    rows, seen = [], set()
    with open(path, encoding="utf-8-sig", newline="") as file:
        for record in csv.DictReader(file):
            text = record["Medical Text"] or ""
            key = tuple((record[c] or "").strip() for c in ["Medical Text", *COLUMNS.values()])
            if not text.strip() or key in seen:
                continue
            seen.add(key)
            entities, medicines = [], []
            row = Row(text, [], medicines)
            for kind, column in COLUMNS.items():
                for surface in (record[column] or "").split(","):
                    surface = surface.strip()
                    if not surface:
                        continue
                    entities.append((surface, kind))
                    row.listed[kind] += 1
                    row.found[kind] += surface in text
                    if kind == "MED":
                        medicines.append(surface)
            row.spans = find_spans(text, entities)
            rows.append(row)
    return rows


def random_split(rows, seed=SPLIT_SEED):
    """80/10/10 by a seeded shuffle: the paper's protocol. Rows about one drug fall on both sides."""
    order = list(range(len(rows)))
    random.Random(seed).shuffle(order)
    tenth = len(rows) // 10
    return {"train": order[2 * tenth:], "valid": order[:tenth], "test": order[tenth:2 * tenth]}


def drug_split(rows, seed=SPLIT_SEED):
    """80/10/10 in whole drugs: no drug of a validation or test row heads a training row.

    A row's drug is its first listed medicine; a row that lists none takes the longest known medicine its text names, and
    stands alone if it names none.
    """
    plain = lambda name: re.sub(r"\s+", " ", re.sub(r"\(.*", "", name)).strip()
    known = sorted({plain(m) for r in rows for m in r.medicines} - {""}, key=lambda m: (-len(m), m))
    groups = {}
    for index, row in enumerate(rows):
        names = [plain(m) for m in row.medicines if plain(m)] or [m for m in known if m in row.text]
        groups.setdefault(names[0] if names else f"row {index}", []).append(index)
    keys = sorted(groups)
    random.Random(seed).shuffle(keys)
    tenth = len(rows) // 10
    parts = {"train": [], "valid": [], "test": []}
    for key in keys:
        name = next((n for n in ("valid", "test") if len(parts[n]) < tenth), "train")
        parts[name] += groups[key]
    return parts


SPLITS = {"random": random_split, "drug": drug_split}


def open_rows(rows):
    """Indices of the rows that no split holds out: the only MedER rows for vocabulary, pretraining and dictionary."""
    held = {i for make in SPLITS.values() for name, part in make(rows).items() if name != "train" for i in part}
    return [i for i in range(len(rows)) if i not in held]


def token_labels(spans, offsets):
    """Label ids of tokens with code-point (start, end) offsets: each token is labelled by its first character."""
    labels, previous = [], None
    starts = {}
    for index, (start, end, kind) in enumerate(spans):
        for at in range(start, end):
            starts[at] = (index, kind)
    for start, _ in offsets:
        hit = starts.get(start)
        if hit is None:
            labels.append(0)
        else:
            labels.append(LABEL_ID[("I-" if hit[0] == previous else "B-") + hit[1]])
        previous = hit[0] if hit else None
    return labels


def spans_of(labels, offsets):
    """(start, end, type) of BIO label ids: from the first token's start to the last token's end."""
    spans, previous = [], "O"
    for label, (start, end) in zip(labels, offsets):
        name = LABELS[label]
        if name[0] == "I" and previous != "O" and previous[2:] == name[2:]:
            spans[-1] = (spans[-1][0], end, name[2:])
        elif name != "O":
            spans.append((start, end, name[2:]))
        previous = name
    return spans


def utf16(text, index):
    """UTF-16 code units before the code point `index`."""
    return len(text[:index].encode("utf-16-le")) // 2


def to_json(row):
    """One line of the scoring files: offsets in UTF-16 code units."""
    entities = [
        {"type": kind, "text": row.text[start:end], "start": utf16(row.text, start), "end": utf16(row.text, end)}
        for start, end, kind in row.spans
    ]
    return json.dumps({"text": row.text, "entities": entities}, ensure_ascii=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder that holds meder/")
    parser.add_argument("--out", required=True, help="folder for test.jsonl and valid.jsonl (and drug-*.jsonl)")
    args = parser.parse_args()
    rows = load_rows(args.data)
    listed = sum((r.listed for r in rows), Counter())
    found = sum((r.found for r in rows), Counter())
    spans = Counter(kind for r in rows for _, _, kind in r.spans)
    print(f"{len(rows)} rows, {sum(spans.values())} spans")
    for kind in TYPES:
        print(f"{kind}: listed {listed[kind]}, found {found[kind] / listed[kind]:.0%}, spans {spans[kind]}")
    Path(args.out).mkdir(parents=True, exist_ok=True)
    for split, make in SPLITS.items():
        for name, part in make(rows).items():
            print(f"{split} {name}: {len(part)} rows, {sum(len(rows[i].spans) for i in part)} spans")
            if name != "train":
                prefix = "" if split == "random" else split + "-"
                lines = "".join(to_json(rows[i]) + "\n" for i in part)
                Path(args.out, f"{prefix}{name}.jsonl").write_text(lines, encoding="utf-8")
    print(f"open to pretraining: {len(open_rows(rows))} rows")


if __name__ == "__main__":
    main()
