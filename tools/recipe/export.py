"""Exports a trained folder (Hugging Face model + crf.safetensors + tokenizer files) to ONNX, and checks the result.

The graph is Hugging Face's own `BertForTokenClassification`, its output the pre-CRF emissions; the CRF's three arrays stay beside
it in crf.safetensors (`transitions[from][to]`, pytorch-crf's names). Two exporters make two quite different graphs of one model:
`torchscript` (tracing, weights transposed into anonymous constants) and `dynamo` (torch.export, names kept).
"""

import argparse
import shutil
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from tokenizers import Tokenizer
from transformers import BertForTokenClassification

INPUTS = ["input_ids", "attention_mask", "token_type_ids"]
FILES = ["config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt", "crf.safetensors"]
SENTENCES = [
    "মেটফরমিন টাইপ ২ ডায়াবেটিস নিয়ন্ত্রণে ব্যবহৃত হয়।",
    "Paracetamol জ্বর ও ব্যথা কমায়; লিভারের রোগে ডাক্তারের পরামর্শ নিন।",
    "ইনসুলিন অগ্ন্যাশয় থেকে নিঃসৃত একটি হরমোন।",
    "না",
]


def load(folder):
    model = BertForTokenClassification.from_pretrained(folder, attn_implementation="eager")
    return model.float().eval()


def padded_batch(tokenizer, sentences):
    """int64 arrays in the order of INPUTS, short rows padded with id 0 and masked."""
    ids = [tokenizer.encode(s).ids for s in sentences]
    longest = max(map(len, ids))
    input_ids = np.array([row + [0] * (longest - len(row)) for row in ids], np.int64)
    mask = np.array([[1] * len(row) + [0] * (longest - len(row)) for row in ids], np.int64)
    return [input_ids, mask, np.zeros_like(input_ids)]


def export_onnx(model, path, exporter, length=16):
    """Writes model.onnx with its weights inside and batch and sequence free."""
    ids = torch.randint(5, model.config.vocab_size, (2, length))
    mask = torch.ones_like(ids)
    mask[1, length // 2:] = 0
    args = (ids, mask, torch.zeros_like(ids))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if exporter == "torchscript":
            axes = {name: {0: "batch", 1: "sequence"} for name in [*INPUTS, "logits"]}
            torch.onnx.export(model, args, str(path), dynamo=False, opset_version=17, input_names=INPUTS,
                              output_names=["logits"], dynamic_axes=axes, do_constant_folding=True)
        else:
            batch, sequence = torch.export.Dim("batch"), torch.export.Dim("sequence", max=model.config.max_position_embeddings)
            torch.onnx.export(model, args, str(path), dynamo=True, external_data=False, input_names=INPUTS,
                              output_names=["logits"], verbose=False,
                              dynamic_shapes={name: {0: batch, 1: sequence} for name in INPUTS})
            strip_notes(path)


def strip_notes(path):
    """Removes two long notes the dynamo exporter leaves at every node: stack traces, which hold the exporting machine's paths, and
    class hierarchies, which repeat the name space."""
    model = onnx.load(str(path))
    for node in [*model.graph.node, *(n for f in model.functions for n in f.node)]:
        kept = [p for p in node.metadata_props if not p.key.endswith(("stack_trace", "class_hierarchy"))]
        del node.metadata_props[:]
        node.metadata_props.extend(kept)
    onnx.save(model, str(path))


def difference(model, path, batch):
    """Largest absolute difference of the emissions at real tokens, ONNX Runtime against PyTorch."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    got = session.run(["logits"], dict(zip(INPUTS, batch)))[0]
    with torch.no_grad():
        want = model(*map(torch.from_numpy, batch)).logits.numpy()
    real = batch[1] == 1
    return float(np.abs(got - want)[real].max())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="trained folder, as train_default.py writes it")
    parser.add_argument("--out", required=True, help="parent of export-torchscript/ and export-dynamo/")
    parser.add_argument("--exporter", choices=["torchscript", "dynamo"], action="append", help="default: both")
    args = parser.parse_args()
    torch.manual_seed(0)
    model = load(args.model)
    tokenizer = Tokenizer.from_file(str(Path(args.model, "tokenizer.json")))
    for exporter in args.exporter or ["torchscript", "dynamo"]:
        out = Path(args.out, f"export-{exporter}")
        out.mkdir(parents=True, exist_ok=True)
        export_onnx(model, out / "model.onnx", exporter)
        for name in FILES:
            shutil.copyfile(Path(args.model, name), out / name)
        single = max(difference(model, out / "model.onnx", padded_batch(tokenizer, [s])) for s in SENTENCES)
        batch = difference(model, out / "model.onnx", padded_batch(tokenizer, SENTENCES))
        longest = np.random.default_rng(0).integers(5, model.config.vocab_size, (1, model.config.max_position_embeddings))
        full = difference(model, out / "model.onnx", [longest, np.ones_like(longest), np.zeros_like(longest)])
        size = (out / "model.onnx").stat().st_size
        print(f"{exporter}: {size:,} bytes; largest difference alone {single:.1e}, padded batch {batch:.1e}, full length {full:.1e}")


if __name__ == "__main__":
    main()
