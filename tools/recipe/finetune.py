"""Fine-tuning of the pretrained encoder with a CRF on MedER's training rows, early stopping on validation span F1.

The CRF runs over real tokens only: [CLS], [SEP] and padding are fed to the encoder and left out of the CRF, as at inference.
The CRF learns 10 times faster than the encoder. What keeps 2,000 rows from being learnt by heart:

- in some rows every mention of an entity is exchanged for another training entity of its type (one medicine for another);
- some tokens are replaced by [MASK];
- some rows are joined into longer texts, since pretraining saw 128 tokens at most;
- dropout, weight decay, and an exponential moving average of the weights, which is what is evaluated and kept.
"""

import argparse
import copy
import json
import random
import time
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torchcrf import CRF

from evaluate import evaluate, table
from meder import LABELS, SPLITS, TYPES, load_rows, token_labels
from modeling import build, default_config, save

CLS, SEP, MASK = 2, 3, 4


def exchange(text, spans, pool, rng):
    """The text with each distinct entity, by a coin's throw, replaced everywhere by another of its type; moved spans."""
    chosen = {}
    for start, end, kind in spans:
        key = (text[start:end], kind)
        if key not in chosen:
            chosen[key] = rng.choice(pool[kind]) if rng.random() < 0.5 else key[0]
    pieces, moved, at, length = [], [], 0, 0
    for start, end, kind in spans:
        surface = chosen[text[start:end], kind]
        pieces += [text[at:start], surface]
        length += start - at
        moved.append((length, length + len(surface), kind))
        length += len(surface)
        at = end
    return "".join(pieces) + text[at:], moved


def epoch_rows(rows, pool, tokenizer, rng, args):
    """(ids, labels) of one epoch, augmented, without special tokens."""
    texts = [exchange(r.text, r.spans, pool, rng) if rng.random() < args.exchange else (r.text, r.spans) for r in rows]
    encoded = tokenizer.encode_batch([t for t, _ in texts], add_special_tokens=False)
    result = []
    for (_, spans), encoding in zip(texts, encoded):
        labels = token_labels(spans, encoding.offsets)
        rate = args.mask if rng.random() < 0.7 else 0
        result.append(([MASK if rng.random() < rate else i for i in encoding.ids], labels))
    rng.shuffle(result)
    joined, at = [], 0
    while at < len(result):
        ids, labels = result[at]
        at += 1
        if rng.random() < args.join:
            for _ in range(rng.randint(1, 5)):
                if at < len(result) and len(ids) + len(result[at][0]) <= 510:
                    ids, labels = ids + result[at][0], labels + result[at][1]
                    at += 1
        joined.append((ids[:510], labels[:510]))
    return joined


def batches(items, size, rng):
    """Batches of similar length, in random order."""
    items = sorted(items, key=lambda item: len(item[0]) * (1 + 0.2 * rng.random()))
    groups = [items[i:i + size] for i in range(0, len(items), size)]
    rng.shuffle(groups)
    for group in groups:
        width = max(len(ids) for ids, _ in group)
        pad = lambda row: row + [0] * (width - len(row))
        ids = torch.tensor([[CLS, *row, SEP] + [0] * (width - len(row)) for row, _ in group])
        labels = torch.tensor([pad(row) for _, row in group])
        real = torch.tensor([pad([1] * len(row)) for row, _ in group]).bool()
        yield ids, torch.nn.functional.pad(real, (2, 0), value=True).long(), labels, real


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="data folder (meder/)")
    parser.add_argument("--vocab", required=True, help="folder from make_vocab.py")
    parser.add_argument("--encoder", help="encoder.pt from pretrain.py; without it, from random weights")
    parser.add_argument("--out", required=True, help="trained folder to write")
    parser.add_argument("--split", choices=list(SPLITS), default="random")
    parser.add_argument("--epochs", type=int, default=9)
    parser.add_argument("--patience", type=int, default=8)
    parser.add_argument("--minutes", type=float, default=20, help="stop after this time whatever happens")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=5e-4)
    parser.add_argument("--head-factor", type=float, default=10, help="learning rate of the CRF, in encoder rates")
    parser.add_argument("--dropout", type=float, default=0.15)
    parser.add_argument("--exchange", type=float, default=0.25, help="share of rows whose entities are exchanged")
    parser.add_argument("--mask", type=float, default=0.07, help="share of tokens masked in most rows")
    parser.add_argument("--join", type=float, default=0.06, help="share of rows joined with following ones")
    parser.add_argument("--average", type=float, default=0.99, help="decay of the moving average, a step")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    rng = random.Random(args.seed)
    tokenizer = Tokenizer.from_file(str(Path(args.vocab, "tokenizer.json")))
    rows = load_rows(args.data)
    parts = SPLITS[args.split](rows)
    train = [rows[i] for i in parts["train"]]
    held = {name: [(rows[i].text, rows[i].spans) for i in parts[name]] for name in ("valid", "test")}
    pool = {kind: sorted({r.text[a:b] for r in train for a, b, k in r.spans if k == kind}) for kind in TYPES}

    model = build(default_config(tokenizer.get_vocab_size(), hidden_dropout_prob=args.dropout))
    crf = CRF(len(LABELS), batch_first=True)
    if args.encoder:
        state = torch.load(args.encoder)
        own = model.bert.state_dict()
        model.bert.load_state_dict({k: v for k, v in state["bert"].items() if k in own})
        model.classifier.load_state_dict(state["tagger"])
    both = torch.nn.ModuleDict({"model": model, "crf": crf})
    average = copy.deepcopy(both)
    plain = [p for p in model.bert.parameters()]
    optimizer = torch.optim.AdamW([
        {"params": plain, "lr": args.rate, "weight_decay": 0.02},
        {"params": list(model.classifier.parameters()), "lr": args.rate * 2, "weight_decay": 0.02},
        {"params": list(crf.parameters()), "lr": args.rate * args.head_factor, "weight_decay": 0.0},
    ], betas=(0.9, 0.98))
    steps_an_epoch = -(-len(train) // args.batch)
    total, warm, step = steps_an_epoch * args.epochs, steps_an_epoch, 0
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: min(1, (s + 1) / warm) * max(0.02, 1 - s / total))
    best, waited, began = (-1.0, None), 0, time.time()
    for epoch in range(args.epochs):
        both.train()
        losses = []
        for ids, mask, labels, real in batches(epoch_rows(train, pool, tokenizer, rng, args), args.batch, rng):
            with torch.autocast("cpu", torch.bfloat16):
                logits = model(input_ids=ids, attention_mask=mask).logits
            loss = -crf(logits[:, 1:-1].float(), labels, mask=real, reduction="sum") / len(ids)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(both.parameters(), 5.0)
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
            step += 1
            decay = min(args.average, (step + 1) / (step + 10))
            with torch.no_grad():
                for mean, value in zip(average.parameters(), both.parameters()):
                    mean.lerp_(value, 1 - decay)
            losses.append(loss.item())
        scores = evaluate(average["model"], average["crf"], tokenizer, held["valid"])["characters"]
        value = (scores["micro"][2] + scores["macro"][2]) / 2
        print(f"epoch {epoch + 1} loss {sum(losses) / len(losses):.3f} valid micro {scores['micro'][2]:.4f} "
              f"macro {scores['macro'][2]:.4f} {(time.time() - began) / 60:.1f} min", flush=True)
        waited += 1
        if value > best[0]:
            best, waited = (value, epoch + 1), 0
            save(args.out, average["model"], average["crf"], args.vocab)
            kept = copy.deepcopy(average)
        if waited >= args.patience or time.time() - began > 60 * args.minutes:
            break
    summary = {"split": args.split, "seed": args.seed, "epoch": best[1]}
    for name, samples in held.items():
        scores = evaluate(kept["model"], kept["crf"], tokenizer, samples)
        for level in ("characters", "tokens"):
            print(f"{name}, {level}\n{table(scores[level])}", flush=True)
            summary[f"{name} {level}"] = scores[level]
    Path(args.out, "scores.json").write_text(json.dumps(summary, indent=1) + "\n")


if __name__ == "__main__":
    main()
