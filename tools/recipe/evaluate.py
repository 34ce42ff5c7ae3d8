"""Strict span scores of a trained folder on a JSON-lines file: Viterbi under BIO constraints, exact boundaries and type.

Two views. Token level: both sides as BIO labels of sub-words, by seqeval (strict, IOB2). Character level: predicted offsets
against the file's offsets, which is what a user of the entities sees; a span that ends inside a token is missed there.
"""

import argparse
import json
from collections import Counter
from pathlib import Path

import torch
from seqeval.metrics import classification_report
from seqeval.scheme import IOB2
from tokenizers import Tokenizer
from transformers import BertForTokenClassification

from crf_reference import constrain, viterbi
from meder import LABELS, TYPES, spans_of, token_labels
from modeling import load_crf


def read_jsonl(path):
    """(text, spans) with offsets turned from UTF-16 into code points."""
    for line in open(path, encoding="utf-8"):
        item = json.loads(line)
        units = item["text"].encode("utf-16-le")
        point = lambda at: len(units[:2 * at].decode("utf-16-le"))
        yield item["text"], [(point(e["start"]), point(e["end"]), e["type"]) for e in item["entities"]]


def f1(correct, predicted, gold):
    precision, recall = correct / max(1, predicted), correct / max(1, gold)
    return precision, recall, 2 * precision * recall / max(1e-12, precision + recall)


def span_scores(gold, predicted):
    """{type: (precision, recall, f1, support)} with "micro" and "macro" (mean of types' F1)."""
    correct, guessed, total = Counter(), Counter(), Counter()
    for wanted, found in zip(gold, predicted):
        total.update(kind for *_, kind in wanted)
        guessed.update(kind for *_, kind in found)
        correct.update(kind for *_, kind in set(wanted) & set(found))
    scores = {kind: (*f1(correct[kind], guessed[kind], total[kind]), total[kind]) for kind in TYPES}
    everything = sum(total.values())
    macro = tuple(sum(scores[kind][i] for kind in TYPES) / len(TYPES) for i in range(3))
    scores["micro"] = (*f1(sum(correct.values()), sum(guessed.values()), everything), everything)
    scores["macro"] = (*macro, everything)
    return scores


@torch.no_grad()
def predict(model, crf_arrays, encodings, batch=32):
    """Label ids of every encoding's tokens ([CLS] and [SEP] put around them here)."""
    model.eval()
    order = sorted(range(len(encodings)), key=lambda i: len(encodings[i].ids))
    result = [None] * len(encodings)
    for at in range(0, len(order), batch):
        chosen = order[at:at + batch]
        ids = [[2, *encodings[i].ids, 3] for i in chosen]
        width = max(map(len, ids))
        table = torch.tensor([row + [0] * (width - len(row)) for row in ids])
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in ids])
        logits = model(input_ids=table, attention_mask=mask).logits.float().numpy()
        for index, row, emissions in zip(chosen, ids, logits):
            result[index] = viterbi(emissions[1:len(row) - 1], *crf_arrays)[0] if len(row) > 2 else []
    return result


def crf_arrays(crf):
    arrays = [getattr(crf, n).detach().double().numpy() for n in ("start_transitions", "end_transitions", "transitions")]
    return constrain(*arrays, LABELS)


def evaluate(model, crf, tokenizer, samples):
    """Scores at both levels of (text, spans) samples, and the label sequences they came from."""
    encodings = [tokenizer.encode(text, add_special_tokens=False) for text, _ in samples]
    labels = predict(model, crf_arrays(crf), encodings)
    gold = [token_labels(spans, e.offsets) for (_, spans), e in zip(samples, encodings)]
    characters = span_scores([spans for _, spans in samples], [spans_of(l, e.offsets) for l, e in zip(labels, encodings)])
    # Token level, by the same counting: each token stands for one position.
    places = [[(i, i + 1) for i in range(len(e.ids))] for e in encodings]
    tokens = span_scores([spans_of(g, p) for g, p in zip(gold, places)], [spans_of(l, p) for l, p in zip(labels, places)])
    return {"characters": characters, "tokens": tokens, "gold": gold, "labels": labels}


def table(scores):
    return "\n".join(f"{kind:6} P {100 * p:5.1f}  R {100 * r:5.1f}  F1 {100 * f:5.1f}  n {n}" for kind, (p, r, f, n) in scores.items())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="trained folder")
    parser.add_argument("--data", required=True, help="test.jsonl or the like, from meder.py")
    args = parser.parse_args()
    model = BertForTokenClassification.from_pretrained(args.model, attn_implementation="eager")
    tokenizer = Tokenizer.from_file(str(Path(args.model, "tokenizer.json")))
    result = evaluate(model, load_crf(args.model), tokenizer, list(read_jsonl(args.data)))
    names = lambda rows: [[LABELS[i] for i in row] for row in rows]
    print("token level (seqeval, strict IOB2)")
    print(classification_report(names(result["gold"]), names(result["labels"]), mode="strict", scheme=IOB2, digits=4, zero_division=0))
    print("character level")
    print(table(result["characters"]))


if __name__ == "__main__":
    main()
