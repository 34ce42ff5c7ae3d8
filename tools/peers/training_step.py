"""PyTorch's side of `deno task bench --filter train`: the same encoder, one step for each line of input.

    python tools/peers/training_step.py '{"layers": 4, ...}' THREADS

Prints a line of JSON when it is ready and one for each step: milliseconds, those of the
processor, and the process's memory at its most.
Packed batches are what the library computes on; here all sequences are of one length, so that PyTorch pads nothing.
"""

import json
import math
import resource
import sys
import time

import torch
import torch.nn.functional as F


def main():
    c, threads = json.loads(sys.argv[1]), int(sys.argv[2])
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    H, heads, inner = c["hiddenSize"], c["heads"], c["feedForwardSize"]
    batch, length, labels = c["batch"], c["length"], c["labels"]

    def linear(rows, columns):
        return [torch.randn(rows, columns) * 0.02, torch.zeros(rows)]

    def norm():
        return [torch.ones(H), torch.zeros(H)]

    words, positions = torch.randn(c["vocabSize"], H) * 0.02, torch.randn(length, H) * 0.02
    embedding_norm, classifier = norm(), linear(labels, H)
    layers = [
        [linear(3 * H, H), linear(H, H), norm(), linear(inner, H), linear(H, inner), norm()] for _ in range(c["layers"])
    ]
    flat = [t for layer in layers for pair in layer for t in pair]
    parameters = [words, positions, *embedding_norm, *classifier, *flat]
    for t in parameters:
        t.requires_grad_()
    optimizer = torch.optim.AdamW(parameters, lr=1e-4, fused=True)
    ids = torch.randint(c["vocabSize"], (batch, length))
    targets = torch.randint(labels, (batch * length,))

    def drop(x):
        return F.dropout(x, c["dropout"]) if c["dropout"] else x

    def forward():
        x = drop(F.layer_norm(F.embedding(ids, words) + positions, (H,), *embedding_norm, 1e-12))
        for qkv, output, attention_norm, up, down, feed_forward_norm in layers:
            q, k, v = F.linear(x, *qkv).view(batch, length, 3, heads, H // heads).permute(2, 0, 3, 1, 4)
            weights = drop(torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(H // heads), -1))
            context = (weights @ v).transpose(1, 2).reshape(batch, length, H)
            x = F.layer_norm(x + drop(F.linear(context, *output)), (H,), *attention_norm, 1e-12)
            inside = F.linear(F.gelu(F.linear(x, *up)), *down)
            x = F.layer_norm(x + drop(inside), (H,), *feed_forward_norm, 1e-12)
        return F.linear(x, *classifier)

    print(json.dumps({"version": torch.__version__}), flush=True)
    for _ in sys.stdin:
        start, used = time.perf_counter(), time.process_time()
        loss = F.cross_entropy(forward().view(-1, labels), targets)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        ms, cpu = (time.perf_counter() - start) * 1e3, (time.process_time() - used) * 1e3
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps({"ms": ms, "cpu": cpu, "bytes": peak, "loss": loss.item()}), flush=True)


main()
