"""Pretraining of the default encoder: whole-word masked language modelling, with a weakly supervised tag loss beside it.

What makes a few CPU minutes go further:

- The word embeddings start from a factorised co-occurrence matrix (positive pointwise mutual information, truncated SVD), not
  from noise; the language-model head is tied to them.
- Lines that name an entity of MedER's open training rows are sampled more often, and more so as training goes on.
- Logits are computed at masked positions only, matrix products run in bfloat16, and position ids of some batches start at a random
  offset so that all 512 positions are trained by sequences of 128.
- MedER's open training rows give a dictionary of entities. Where a dictionary entity occurs in the corpus, its tokens (masked or
  not) are also to be tagged with its type, so that the encoder learns what surrounds a medicine or a disease. Only words that
  MedER never lists as an entity count as O; everything else carries no tag loss, because an unknown medicine is not an O.

No text or entity of a validation or test row is read (see corpus.py).
"""

import argparse
import json
import time
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import scipy.sparse as sparse
import torch
import torch.nn.functional as F
from sklearn.utils.extmath import randomized_svd
from tokenizers import Tokenizer
from transformers import BertForMaskedLM

from corpus import read
from meder import LABEL_ID, LABELS, open_rows, token_labels
from modeling import default_config

PAD, UNK, CLS, SEP, MASK = range(5)
IGNORED = -100


# --- data ---------------------------------------------------------------------------------------------------------------------

def entity_dictionary(rows, tokenizer, least=0.5):
    """{ids: type} of open rows' entities that are an entity in at least `least` of their occurrences, and the ids of plain words."""
    types, plain, in_entity = defaultdict(Counter), Counter(), Counter()
    encodings = [(rows[i], tokenizer.encode(rows[i].text, add_special_tokens=False)) for i in open_rows(rows)]
    for row, encoding in encodings:
        for start, end, kind in row.spans:
            ids = tuple(t for t, (a, b) in zip(encoding.ids, encoding.offsets) if start <= a and b <= end)
            if ids and sum(b - a for a, b in encoding.offsets if start <= a and b <= end) > 2:
                types[ids][kind] += 1
        for token, label in zip(encoding.ids, token_labels(row.spans, encoding.offsets)):
            (in_entity if label else plain)[token] += 1
    first = defaultdict(list)
    for ids in types:
        first[ids[0]].append(ids)
    seen = Counter()
    for _, encoding in encodings:
        for at, token in enumerate(encoding.ids):
            for ids in first.get(token, ()):
                seen[ids] += tuple(encoding.ids[at:at + len(ids)]) == ids
    chosen = {}
    for ids, counts in types.items():
        kind, _ = counts.most_common(1)[0]
        if sum(counts.values()) >= least * seen[ids]:
            chosen[ids] = kind
    return chosen, {t for t, n in plain.items() if n >= 3 and in_entity[t] == 0}


def dictionary_tags(ids, starts, dictionary, plain):
    """Tags of a token stream by longest dictionary match at word starts; see the module's comment for what is ignored."""
    tags = np.where(np.isin(ids, list(plain)), 0, IGNORED).astype(np.int16)
    lengths = defaultdict(set)
    for entity in dictionary:
        lengths[entity[0]].add(len(entity))
    lengths = {first: sorted(found, reverse=True) for first, found in lengths.items()}
    for at in np.flatnonzero(np.isin(ids, list(lengths)) & starts):
        if tags[at] > 0:
            continue
        for length in lengths[ids[at]]:
            kind = dictionary.get(tuple(ids[at:at + length].tolist()))
            if kind:
                tags[at:at + length] = LABEL_ID["I-" + kind]
                tags[at] = LABEL_ID["B-" + kind]
                break
    return tags


def streams(data_folder, tokenizer, how_many):
    """Token ids, word-start flags and tags: [lines that name a dictionary entity, other lines, MedER open rows]."""
    rows, parts = read(data_folder, how_many)
    vocabulary = tokenizer.get_vocab()
    starts_word = np.ones(len(vocabulary), bool)
    for piece, index in vocabulary.items():
        starts_word[index] = not piece.startswith("##")
    dictionary, plain = entity_dictionary(rows, tokenizer)
    print(f"dictionary: {len(dictionary)} entities; {len(plain)} plain word pieces", flush=True)
    medical, general = [], []
    for texts in parts:
        encoded = [np.array(e.ids, np.int32) for at in range(0, len(texts), 10000)
                   for e in tokenizer.encode_batch_fast(texts[at:at + 10000], add_special_tokens=False)]
        line = np.repeat(np.arange(len(encoded)), [len(e) for e in encoded])
        ids = np.concatenate(encoded)
        starts = starts_word[ids]
        tags = dictionary_tags(ids, starts, dictionary, plain)
        chosen = np.bincount(line, tags > 0, len(encoded))[line] > 0
        medical.append((ids[chosen], starts[chosen], tags[chosen]))
        general.append((ids[~chosen], starts[~chosen], tags[~chosen]))
    result = []
    for name, found in ("medical", medical), ("general", general):
        ids, starts, tags = (np.concatenate(column) for column in zip(*found))
        print(f"{name}: {len(ids):,} tokens, {(tags > 0).mean():.1%} in an entity, {(tags == 0).mean():.1%} plain", flush=True)
        result.append((ids, starts, tags))
    ids, tags = [], []
    for index in open_rows(rows):
        encoding = tokenizer.encode(rows[index].text, add_special_tokens=False)
        ids += encoding.ids
        tags += token_labels(rows[index].spans, encoding.offsets)
    ids = np.array(ids, np.int32)
    result.append((ids, starts_word[ids], np.array(tags, np.int16)))
    return result


def embedding_start(ids, size, width, window=4, seed=0):
    """Word vectors from positive PMI and a truncated SVD; rows of a unit-free scale (std 1)."""
    total = sparse.csr_matrix((size, size), dtype=np.float32)
    for distance in range(1, window + 1):
        ones = np.full(len(ids) - distance, 1 / distance, np.float32)
        total = total + sparse.coo_matrix((ones, (ids[:-distance], ids[distance:])), (size, size)).tocsr()
    total = (total + total.T).tocoo()
    count = np.asarray(total.tocsr().sum(0)).ravel() + 1e-9
    context = count ** 0.75
    pmi = np.log(total.data * context.sum() / (count[total.row] * context[total.col]))
    keep = pmi > 0
    matrix = sparse.csr_matrix((pmi[keep], (total.row[keep], total.col[keep])), (size, size))
    u, s, _ = randomized_svd(matrix, width, n_oversamples=16, n_iter=2, random_state=seed)
    vectors = u * np.sqrt(s)
    vectors /= vectors.std()
    rng = np.random.default_rng(seed)
    norms = np.linalg.norm(vectors, axis=1)
    vectors[norms < 1e-3] = rng.normal(size=(int((norms < 1e-3).sum()), width))
    # Even out lengths (frequent words are long vectors) but keep some of the difference.
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / norms * np.sqrt(width) * (norms / norms.mean()) ** 0.3).astype(np.float32)


def sample(stream, count, length, rng):
    ids, starts, tags = stream
    at = rng.integers(0, len(ids) - length, count)
    rows = at[:, None] + np.arange(length - 2)
    return ids[rows], starts[rows], tags[rows]


def masked_batch(pieces, vocabulary, rng, share):
    """[CLS] tokens [SEP], whole words chosen with probability `share`: 80 % [MASK], 10 % random, 10 % kept."""
    ids, starts, tags = (np.concatenate(p) for p in zip(*pieces))
    rows, length = ids.shape
    word = np.cumsum(starts, 1)
    chosen = np.take_along_axis(rng.random((rows, length + 1)) < share, word, 1)
    how = rng.random(ids.shape)
    inputs = np.where(chosen & (how < 0.8), MASK, ids)
    inputs = np.where(chosen & (how >= 0.9), rng.integers(5, vocabulary, ids.shape), inputs)
    edge = np.ones((rows, 1), np.int64)
    full = np.concatenate([edge * CLS, inputs, edge * SEP], 1)
    wide = np.pad(chosen, ((0, 0), (1, 1)))
    tags = np.pad(tags.astype(np.int64), ((0, 0), (1, 1)), constant_values=IGNORED)
    return torch.from_numpy(full), torch.from_numpy(wide), torch.from_numpy(ids[chosen].astype(np.int64)), torch.from_numpy(tags)


def keep(folder, model, tagger):
    state = {"bert": model.bert.state_dict(), "cls": model.cls.state_dict(), "tagger": tagger.state_dict()}
    torch.save(state, folder / "encoder.tmp")
    (folder / "encoder.tmp").rename(folder / "encoder.pt")


# --- training -----------------------------------------------------------------------------------------------------------------

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="data folder (bangla_text/, meder/)")
    parser.add_argument("--vocab", required=True, help="folder with tokenizer.json, from make_vocab.py")
    parser.add_argument("--out", required=True, help="folder for encoder.pt and log.jsonl")
    parser.add_argument("--minutes", type=float, default=36, help="training time; the learning rate follows the clock")
    parser.add_argument("--parts", type=int, default=10, help="how many parts of bangla_text to read")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--rate", type=float, default=1.2e-3)
    parser.add_argument("--mask", type=float, default=0.2, help="share of words to predict")
    parser.add_argument("--tag-weight", type=float, default=0.2)
    parser.add_argument("--embedding-std", type=float, default=0.04)
    parser.add_argument("--random-embeddings", action="store_true", help="start from noise, for comparison")
    parser.add_argument("--cache", help="file (.npz) that keeps the tokenised corpus between runs")
    parser.add_argument("--resume", help="encoder.pt of an earlier run to start from")
    parser.add_argument("--threads", type=int, default=2, help="1 is faster where other programs share the cores")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    rng = np.random.default_rng(args.seed)
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer.from_file(str(Path(args.vocab, "tokenizer.json")))
    size = tokenizer.get_vocab_size()
    if args.cache and Path(args.cache).exists():
        kept = np.load(args.cache)
        medical, general, meder = ([kept[f"{name}{i}"] for i in range(3)] for name in ("medical", "general", "meder"))
    else:
        medical, general, meder = streams(args.data, tokenizer, args.parts)
        if args.cache:
            np.savez(args.cache, **{f"{name}{i}": array for name, stream in
                                    (("medical", medical), ("general", general), ("meder", meder)) for i, array in enumerate(stream)})

    config = default_config(size, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    model = BertForMaskedLM._from_config(config, attn_implementation="eager").train()
    tagger = torch.nn.Linear(config.hidden_size, len(LABELS))
    if args.resume:
        state = torch.load(args.resume)
        model.bert.load_state_dict(state["bert"])
        tagger.load_state_dict(state["tagger"])
        if "cls" in state:
            model.cls.load_state_dict(state["cls"])
    elif not args.random_embeddings:
        began = time.time()
        vectors = embedding_start(np.concatenate([medical[0], general[0]]), size, config.hidden_size, seed=args.seed)
        with torch.no_grad():
            model.bert.embeddings.word_embeddings.weight.copy_(torch.from_numpy(vectors) * args.embedding_std)
        print(f"embeddings in {time.time() - began:.0f} s", flush=True)
    named = [*model.named_parameters(), *tagger.named_parameters("tagger")]
    groups = [{"params": [p for n, p in named if p.ndim > 1], "weight_decay": 0.01},
              {"params": [p for n, p in named if p.ndim == 1], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=args.rate, betas=(0.9, 0.98), fused=True)

    began, step, tokens, warm, sums, log = time.time(), 0, 0, 100, [0.0, 0.0, 0], open(out / "log.jsonl", "w")
    last = began
    while True:
        done = (time.time() - began) / (60 * args.minutes)
        if done >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = args.rate * min(1, (step + 1) / warm) * max(0.02, 1 - done)
        # From general to medical text as training goes on.
        counts = np.maximum(1, np.round(args.batch * np.array([0.08, 0.62 - 0.4 * done]))).astype(int)
        pieces = [sample(stream, count, args.length, rng)
                  for stream, count in zip([meder, general, medical], [*counts, args.batch - counts.sum()])]
        batch = masked_batch(pieces, size, rng, args.mask)
        ids, chosen, targets, tags = batch
        offset = rng.integers(0, config.max_position_embeddings - args.length + 1) if rng.random() < 0.3 else 0
        positions = torch.arange(offset, offset + args.length)[None]
        with torch.autocast("cpu", torch.bfloat16):
            hidden = model.bert(ids, position_ids=positions).last_hidden_state
            logits = model.cls.predictions(hidden[chosen])
            known = tags != IGNORED
            tag_logits = tagger(hidden[known])
        lm = F.cross_entropy(logits.float(), targets)
        tag = F.cross_entropy(tag_logits.float(), tags[known])
        (lm + args.tag_weight * tag).backward()
        torch.nn.utils.clip_grad_norm_([p for _, p in named], 1.0)
        optimizer.step()
        optimizer.zero_grad()
        step += 1
        tokens += ids.numel()
        sums = [sums[0] + lm.item(), sums[1] + tag.item(), sums[2] + 1]
        if step % 50 == 0:
            now = time.time()
            line = {"step": step, "minutes": round((now - began) / 60, 2), "tokens": tokens, "lm": round(sums[0] / sums[2], 4),
                    "tag": round(sums[1] / sums[2], 4), "tokens_a_second": round(50 * ids.numel() / (now - last))}
            print(json.dumps(line), file=log, flush=True)
            print(line, flush=True)
            sums = [0.0, 0.0, 0]
            last = now
        if step % 100 == 0:
            keep(out, model, tagger)
    keep(out, model, tagger)


if __name__ == "__main__":
    main()
