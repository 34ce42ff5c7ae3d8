"""From fine-tuned folders to the final one: averages their weights, then shifts the label biases to the best validation score.

Runs that start from one encoder end near enough to one another for the mean of their weights to be a model, often a better one.
Fine-tuning favours O where the data's own labels are unsteady; the shift (one number for O, one for each type, added to the
classifier's bias, so nothing changes at inference) is found on the validation rows by coordinate search. No test row is read.
"""

import argparse
import json
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import BertForTokenClassification

from crf_reference import viterbi
from evaluate import crf_arrays, evaluate, read_jsonl, span_scores, table
from meder import LABELS, TYPES, spans_of
from modeling import load_crf, save


def mean_of(folders):
    """Model and CRF whose every weight is the mean over the folders."""
    model = BertForTokenClassification.from_pretrained(folders[0], attn_implementation="eager").eval()
    crf = load_crf(folders[0])
    weights = [load_file(str(Path(f, "model.safetensors"))) for f in folders]
    model.load_state_dict({k: sum(w[k] for w in weights) / len(weights) for k in weights[0]})
    crfs = [load_crf(f).state_dict() for f in folders]
    crf.load_state_dict({k: sum(c[k] for c in crfs) / len(crfs) for k in crfs[0]})
    return model, crf


@torch.no_grad()
def emissions_of(model, encodings):
    return [model(torch.tensor([[2, *e.ids, 3]])).logits[0, 1:-1].double().numpy() for e in encodings]


def shifted(shift):
    """Seven numbers (O, then the types) as one for each label."""
    return np.array([shift[0] if name == "O" else shift[1 + TYPES.index(name[2:])] for name in LABELS])


def score(emissions, arrays, shift, encodings, gold):
    bias = shifted(shift)
    predicted = [spans_of(viterbi(e + bias, *arrays)[0], c.offsets) if len(e) else [] for e, c in zip(emissions, encodings)]
    scores = span_scores(gold, predicted)
    return (scores["micro"][2] + scores["macro"][2]) / 2


def search(emissions, arrays, encodings, gold, penalty=0.004):
    """Coordinate search from 0; `penalty` a unit of shift keeps a lucky validation row from moving a type far."""
    shift = np.zeros(1 + len(TYPES))
    value = lambda s: score(emissions, arrays, s, encodings, gold) - penalty * np.abs(s).sum()
    best = value(shift)
    for step in (0.6, 0.3):
        for place in range(len(shift)):
            for direction in (-step, step):
                while abs(shift[place] + direction) <= 1.8:
                    trial = shift.copy()
                    trial[place] += direction
                    found = value(trial)
                    if found <= best:
                        break
                    best, shift = found, trial
    return shift, best


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", action="append", required=True, help="fine-tuned folder; give it several times")
    parser.add_argument("--valid", required=True, help="valid.jsonl")
    parser.add_argument("--test", required=True, help="test.jsonl, scored once at the end")
    parser.add_argument("--out", required=True, help="trained folder to write")
    parser.add_argument("--no-shift", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    tokenizer = Tokenizer.from_file(str(Path(args.run[0], "tokenizer.json")))
    samples = list(read_jsonl(args.valid))
    encodings = [tokenizer.encode(text, add_special_tokens=False) for text, _ in samples]
    gold = [spans for _, spans in samples]
    candidates = []
    for size in range(1, len(args.run) + 1):
        for chosen in combinations(args.run, size):
            model, crf = mean_of(chosen)
            emissions = emissions_of(model, encodings)
            value = score(emissions, crf_arrays(crf), np.zeros(1 + len(TYPES)), encodings, gold)
            print(f"{value:.4f}", *(Path(f).name for f in chosen), flush=True)
            candidates.append((value, chosen, model, crf, emissions))
    _, chosen, model, crf, emissions = max(candidates, key=lambda c: c[0])
    shift = np.zeros(1 + len(TYPES))
    if not args.no_shift:
        shift, value = search(emissions, crf_arrays(crf), encodings, gold)
        print("shift", dict(zip(["O", *TYPES], shift.round(2).tolist())), f"valid {value:.4f}", flush=True)
        with torch.no_grad():
            model.classifier.bias += torch.from_numpy(shifted(shift)).float()
    save(args.out, model, crf, args.run[0])
    summary = {"runs": [Path(f).name for f in chosen], "shift": shift.tolist()}
    for name, path in ("valid", args.valid), ("test", args.test):
        result = evaluate(model, crf, tokenizer, list(read_jsonl(path)))
        for level in ("characters", "tokens"):
            print(f"{name}, {level}\n{table(result[level])}", flush=True)
            summary[f"{name} {level}"] = result[level]
    Path(args.out, "scores.json").write_text(json.dumps(summary, indent=1) + "\n")


if __name__ == "__main__":
    main()
