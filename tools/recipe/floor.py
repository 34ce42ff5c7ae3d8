"""The floor a model has to beat: a dictionary of the training rows' entities, longest match, at character offsets.

Twice: with every entity, and with those alone that the training rows label in at least half of their occurrences."""

import argparse
from collections import Counter, defaultdict

from evaluate import span_scores, table
from meder import SPLITS, find_spans, load_rows


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="folder that holds meder/")
    args = parser.parse_args()
    rows = load_rows(args.data)
    for split, make in SPLITS.items():
        parts = make(rows)
        types = defaultdict(Counter)
        for index in parts["train"]:
            for start, end, kind in rows[index].spans:
                types[rows[index].text[start:end]][kind] += 1
        seen = Counter()
        for index in parts["train"]:
            for surface in types:
                seen[surface] += rows[index].text.count(surface)
        test = [rows[i] for i in parts["test"]]
        for least in 0.0, 0.5:
            entities = [(surface, counts.most_common(1)[0][0]) for surface, counts in types.items()
                        if sum(counts.values()) >= least * seen[surface]]
            print(f"{split}, entities labelled in at least {least:.0%} of their occurrences")
            print(table(span_scores([r.spans for r in test], [find_spans(r.text, entities) for r in test])))


if __name__ == "__main__":
    main()
