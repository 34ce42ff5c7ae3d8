"""Plain text for the vocabulary and for pretraining, with every held-out MedER text kept out of it.

A line of the corpus is dropped if it shares `SHINGLE` consecutive letters (spaces and punctuation aside) with a validation or
test text of either split, so that a copy of a test row in another source is not seen either.
"""

import gzip
import re
import unicodedata
from pathlib import Path

from meder import load_rows, open_rows

SHINGLE = 40


def letters(text):
    """The text's letters, marks and digits alone, NFC."""
    text = unicodedata.normalize("NFC", text)
    return "".join(c for c in text if unicodedata.category(c)[0] in "LMN")


def held_out_shingles(rows):
    open_to_all = set(open_rows(rows))
    found = set()
    for index, row in enumerate(rows):
        if index not in open_to_all:
            text = letters(row.text)
            found.update(text[i:i + SHINGLE] for i in range(max(1, len(text) - SHINGLE + 1)))
    return found


def clean_lines(path, shingles):
    """Lines of a gzip text file that share nothing with the held-out texts; also counts what was dropped."""
    kept, dropped = [], 0
    for line in gzip.open(path, "rt", encoding="utf-8"):
        line = line.strip()
        if not line:
            continue
        text = letters(line)
        if any(text[i:i + SHINGLE] in shingles for i in range(max(1, len(text) - SHINGLE + 1))):
            dropped += 1
        else:
            kept.append(line)
    return kept, dropped


def parts(data_folder):
    return sorted(Path(data_folder, "bangla_text").glob("part-*.txt.gz"))


def open_texts(rows):
    """MedER texts that no split holds out, white space folded."""
    return [re.sub(r"\s+", " ", rows[i].text).strip() for i in open_rows(rows)]


def drug_names(data_folder):
    """English generic drug names, so that the vocabulary holds Latin pieces."""
    names = []
    for line in open(Path(data_folder, "lexicons", "drug_generics.tsv"), encoding="utf-8"):
        names.append(line.rstrip("\n").split("\t")[-1])
    return names


def read(data_folder, how_many, report=print):
    """Clean lines of the first `how_many` parts, in order."""
    rows = load_rows(data_folder)
    shingles = held_out_shingles(rows)
    lines = []
    for path in parts(data_folder)[:how_many]:
        kept, dropped = clean_lines(path, shingles)
        report(f"{path.name}: {len(kept)} lines, {dropped} dropped for sharing text with held-out rows")
        lines.append(kept)
    return rows, lines
