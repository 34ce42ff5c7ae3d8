"""Tiny models with known answers for the tests: test/fixtures/tiny-{torchscript,dynamo,tanh}/ and tokenizer-cases.json.

Random weights, larger than a trained model's, with random biases and LayerNorm gains, so that a wrong formula shows. Sizes are
deliberately not round. tiny-torchscript and tiny-dynamo hold the same weights as two exporters write them.

expected.json of each: `sequences` of ids as they enter the encoder (attention mask all 1, token types all 0) with PyTorch's
float32 emissions, and `crf` results computed in float64 from those emissions by forward-backward over all rows given, `free` and
under BIO constraints (`bio`: forbidden starts and transitions removed). Sequences that come from a text also carry the text, its
tokens and their UTF-16 offsets. `hidden`, for one of them (and not again in tiny-dynamo), holds the encoder's state after the
embeddings and after each layer.

The sentences were written for this file.
"""

import argparse
import json
import platform
import shutil
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import tokenizers
import torch
import transformers
from torchcrf import CRF

import make_vocab
import modeling
from crf_reference import constrain, forward_backward, viterbi
from export import FILES, INPUTS, export_onnx
from meder import utf16

SENTENCES = [
    "প্যারাসিটামল জ্বর ও ব্যথা কমায়।",
    "মেটফরমিন টাইপ ২ ডায়াবেটিসের ওষুধ; এটি লিভারে কাজ করে।",
    "হৃদরোগীর উচ্চ রক্তচাপ থাকলে ডাক্তারের পরামর্শ নিন।",
    "ইনসুলিন অগ্ন্যাশয় থেকে আসে।",
    "আমার পেটে ব্যথা, মাথা ঘোরে, রাতে ঘুম হয় না।",
    "শিশুটির কাশি সাত দিন ধরে চলছে।",
    "কিডনি ভালো রাখতে প্রচুর পানি পান করুন।",
    "অ্যাসপিরিন রক্ত পাতলা করে, তাই অস্ত্রোপচারের আগে বন্ধ রাখুন।",
    "চোখের ড্রপ দিনে দুইবার, ৫ মিলি করে।",
    "Paracetamol 500 mg twice daily for fever and pain.",
    "Metformin helps the liver; insulin comes from the pancreas.",
    "The doctor checked her kidney, heart and blood pressure.",
    "Take aspirin after food, not before sleep.",
    "ডাক্তার বললেন, Vitamin D কম আছে।",
]
# What tokenizers get wrong: composed and decomposed letters, joiners, marks, case, scripts, surrogate pairs, controls, long words.
CASES = SENTENCES + [
    "", " ", "\t\n", "ব্যথা", "ডা\u09dfাবেটিস \u09dc\u09dd", "ডায়াবেটিস", "কোথায়, কো\u200cথায়", "র\u200d্যাব ব\u200bব",
    "ঢ\u09bcড\u09bc", "ক\u09c7\u09be ক\u09cb",
    "PARACETAMOL Café cafe\u0301", "İstanbul ß ẞ", "জ্বর😀ব্যথা 👩\u200d⚕️ mg", "中文 liver 日本",
    "a\u0000b\u0007c\ufeff d\u00a0e\u3000f", "x" * 100, "x" * 101,
    "(জ্বর)-ব্যথা/কাশি।।", "৫০০mg 1,000.5%", "[CLS] liver [SEP] [MASK]", "fever[SEP]pain", "ﬁber Ａ ² ½",
    "\U0001d400\U0001d401 liver", "ো ্ ়ক",
    "heart\u2028pressure\u2029blood\u0085pain", "e\u0301\u0323 o\u0323\u0302", "\u0985\u0981\u0999\u09cd\u0997",
    "don't re-check",
]
THREE = ["O", "B-MED", "I-MED", "B-ORG", "I-ORG", "B-DIS", "I-DIS"]
TWO = THREE[:5]


def tiny_tokenizer(size=300):
    """Letters of the sentences, then their commonest word beginnings and inner pieces. Not the library's trainer, whose choice
    between equally frequent pieces changes from run to run."""
    blank = make_vocab.build({})
    counts = Counter()
    for sentence in SENTENCES:
        text = blank.normalizer.normalize_str(sentence)
        for word, _ in blank.pre_tokenizer.pre_tokenize_str(text):
            for start in range(len(word)):
                for end in range(start + 1, len(word) + 1):
                    # A letter counts for so much that none is left out.
                    counts["##" * (start > 0) + word[start:end]] += 1000 if end == start + 1 else (end - start) ** 0.5
    for letter in {piece[-1] for piece in counts}:
        counts[letter] += 1000
    pieces = sorted(counts, key=lambda piece: (-counts[piece], piece))[:size - len(make_vocab.SPECIALS)]
    return make_vocab.build({piece: index for index, piece in enumerate([*make_vocab.SPECIALS, *sorted(pieces)])})


def randomise(module, generator, std):
    """Normal weights of the given std; LayerNorm gains around 1; all biases away from 0."""
    for name, parameter in module.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        with torch.no_grad():
            parameter.copy_(1 + 0.3 * noise if "LayerNorm.weight" in name else std * noise)


def build(labels, seed, std, **shape):
    generator = torch.Generator().manual_seed(seed)
    model = modeling.build(modeling.default_config(labels=labels, **shape)).eval()
    randomise(model, generator, std)
    crf = CRF(len(labels), batch_first=True)
    with torch.no_grad():
        for parameter in crf.parameters():
            parameter.copy_(0.8 * torch.randn(parameter.shape, generator=generator))
    return model, crf


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"


def numbers(array):
    """Nested lists of floats in shortest exact form: a float32 is the decimal that rounds to it (`Math.fround`)."""
    if array.dtype == np.float32:
        return [numbers(row) for row in array] if array.ndim else float(str(array))
    return array.tolist()


def crf_answers(emissions, crf, labels):
    arrays = [getattr(crf, name).detach().double().numpy() for name in modeling.CRF_ARRAYS]
    answers = {}
    for name, scores in {"free": arrays, "bio": constrain(*arrays, labels)}.items():
        path, score = viterbi(emissions, *scores)
        log_z, marginals = forward_backward(emissions, *scores)
        answers[name] = {"path": path, "score": score, "log_partition": log_z, "marginals": numbers(marginals)}
    # pytorch-crf itself, in float64, must agree where nothing is constrained.
    table = torch.tensor(np.asarray(emissions, np.float64))[None]
    mask = torch.ones(table.shape[:2], dtype=torch.bool)
    double = CRF(len(labels), batch_first=True).double()
    double.load_state_dict(crf.state_dict())
    path = double.decode(table, mask)[0]
    score = float(double(table, torch.tensor([path]), mask).detach()) + answers["free"]["log_partition"]
    assert path == answers["free"]["path"] and abs(score - answers["free"]["score"]) < 1e-9
    return answers


def encoding_json(text, encoding):
    return {"text": text, "ids": encoding.ids, "tokens": encoding.tokens,
            "offsets": [[utf16(text, a), utf16(text, b)] for a, b in encoding.offsets]}


@torch.no_grad()
def expected(model, crf, tokenizer, labels, seed, longest, with_hidden):
    rng = np.random.default_rng(seed)
    size = model.config.vocab_size
    sequences = [{"ids": rng.integers(5, size, n).tolist()} for n in (1, 2, longest)]
    sequences += [encoding_json(SENTENCES[i], tokenizer.encode(SENTENCES[i])) for i in (0, 9, 13)]
    for sequence in sequences:
        output = model(torch.tensor([sequence["ids"]]), output_hidden_states=True)
        emissions = output.logits[0].numpy()
        sequence["emissions"] = numbers(emissions)
        if with_hidden and sequence is sequences[3]:
            sequence["hidden"] = [numbers(state[0]) for state in output.hidden_states]
        sequence["crf"] = crf_answers(emissions, crf, labels)
    versions = {"python": platform.python_version(), "torch": torch.__version__, "transformers": transformers.__version__,
                "tokenizers": tokenizers.__version__, "onnx": onnx.__version__, "pytorch-crf": "0.7.2", "numpy": np.__version__}
    return {"made_by": "tools/make_fixtures.py", "versions": versions, "labels": labels, "sequences": sequences}


def check(path, answers):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    worst = 0.0
    for sequence in answers["sequences"]:
        ids = np.array([sequence["ids"]], np.int64)
        got = session.run(["logits"], dict(zip(INPUTS, [ids, np.ones_like(ids), np.zeros_like(ids)])))[0][0]
        worst = max(worst, float(np.abs(got - np.array(sequence["emissions"], np.float32)).max()))
    return worst


def write(folder, model, crf, tokenizer, labels, exporter, seed):
    """One fixture folder; returns the largest difference between ONNX Runtime and PyTorch."""
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        make_vocab.save(sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().get), scratch / "vocab")
        modeling.save(scratch / "model", model, crf, scratch / "vocab")
        folder.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            shutil.copyfile(scratch / "model" / name, folder / name)
    torch.manual_seed(0)
    export_onnx(model, folder / "model.onnx", exporter, length=12)
    answers = expected(model, crf, tokenizer, labels, seed, model.config.max_position_embeddings, exporter != "dynamo")
    (folder / "expected.json").write_text(compact(answers), encoding="utf-8")
    return check(folder / "model.onnx", answers)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, help="test/fixtures")
    args = parser.parse_args()
    out = Path(args.out)
    tokenizer = tiny_tokenizer()
    size = tokenizer.get_vocab_size()
    print(f"{size} pieces")
    plain = build(THREE, 11, 0.3, vocabulary=size, hidden_size=36, num_attention_heads=3, num_hidden_layers=2,
                  intermediate_size=52, max_position_embeddings=64)
    tanh = build(TWO, 12, 0.4, vocabulary=size, hidden_size=16, num_attention_heads=1, num_hidden_layers=1,
                 intermediate_size=20, max_position_embeddings=33, hidden_act="gelu_pytorch_tanh")
    for name, (model, crf), labels, exporter in [("tiny-torchscript", plain, THREE, "torchscript"),
                                                 ("tiny-dynamo", plain, THREE, "dynamo"), ("tiny-tanh", tanh, TWO, "torchscript")]:
        print(f"{name}: largest difference {write(out / name, model, crf, tokenizer, labels, exporter, 5):.1e}")
    cases = [encoding_json(text, tokenizer.encode(text)) for text in CASES]
    head = {"made_by": "tools/make_fixtures.py", "tokenizers": tokenizers.__version__, "vocabulary": "tiny-torchscript"}
    (out / "tokenizer-cases.json").write_text(compact({**head, "cases": cases}), encoding="utf-8")


if __name__ == "__main__":
    main()
