"""Tiny models of the BERT family as the real exporters write them: test/fixtures/zoo/<architecture>-<exporter>-<opset>-<variant>/.

Each folder holds model.onnx (or model.safetensors), config.json, the tokenizer's files and expected.json: `sequences` of ids with
special tokens (attention mask all 1, token types all 0), each with the `emissions` that ONNX Runtime gave on exactly this file,
graph optimizations disabled; `float_emissions` are PyTorch's float32 ones where the file holds something less precise. Folders
`refused-...` hold models that are not of the family or not of the kind, and `why`. README.md is the table of all of it.

zoo_models.py makes the models, zoo_export.py exports them, zoo_convert.py fuses, quantizes and narrows. Older versions of
transformers write other graphs, and Optimum wants one of them: --python457 names a Python with transformers 4.57 and optimum-onnx,
--python430 one with transformers 4.30. Without them their folders are left as they are.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import tokenizers
import torch
import transformers

import zoo_convert
import zoo_models
from make_fixtures import compact, numbers

ALL = ["input_ids", "attention_mask", "token_type_ids"]
TWO = ALL[:2]
HF430, HF457 = "hf430", "hf457"
# Folders that keep the names of inner values and of nodes.
NAMED = ["bert-torchscript-17-default", "bert-dynamo-18-default", "bert-optimum-14-default"]
ENTRIES = []


def entry(base, exporter, opset, variant, note="", *, env=None, scheme=None, files="vocab", changes=None, post=(), architecture=None,
          **job):
    """One folder. `job` are changes to the export, `post` the steps of zoo_convert afterwards, `files` the tokenizer's."""
    kind = zoo_models.BASES[base][0]
    name = "-".join(map(str, filter(None, [architecture or base.split("-")[0].rstrip("1"), exporter, opset, variant])))
    inputs = ALL if kind in ("bert", "electra", "albert") else TWO
    default = dict(exporter=exporter, opset=opset, attention="sdpa", inputs=inputs, fold=True, dtype="float32", static=0, task="tokens",
                   external=False, optimize=None, slim=False)
    ENTRIES.append(dict(name=name, base=base, kind=kind, note=note, env=env or (HF457 if exporter == "optimum" else None), scheme=scheme,
                        files=files if kind in ("bert", "distilbert", "electra") else "json", changes=changes or {}, post=list(post),
                        job={**default, **job}))


def refused(name, why, settings, model_class, exporter="torchscript", opset=17, env=None, **job):
    default = dict(exporter=exporter, opset=opset, attention="eager", inputs=ALL, fold=True, dtype="float32", static=0, task="tokens",
                   external=False, optimize=None, slim=False)
    ENTRIES.append(dict(name=f"refused-{name}", why=why, env=env, kind=settings["model_type"], note=why,
                        job={**default, "build": {"class": model_class, "config": settings, "seed": 99}, **job}))


def catalogue():
    # BERT with every opset and both of torch's exporters.
    entry("bert", "torchscript", 17, "default", "LayerNormalization as one op; SDPA traced", scheme="bio2", files="json")
    entry("bert1", "torchscript", 11, "eager", "LayerNorm decomposed", attention="eager", scheme="iob1")
    entry("bert1", "torchscript", 13, "eager", "LayerNorm decomposed", attention="eager", scheme="bioes")
    entry("bert1", "torchscript", 14, "sdpa", "LayerNorm decomposed; SDPA traced", scheme="bilou")
    entry("bert1", "torchscript", 18, "sdpa", scheme="bio2-reversed")
    entry("bert1", "torchscript", 20, "sdpa", "Gelu as one op", scheme="plain")
    entry("bert1", "torchscript", 17, "nofold", "constant folding off: weights transposed in the graph", fold=False, scheme="bio1")
    entry("bert1", "torchscript", 17, "no-types", "no token_type_ids input", inputs=TWO, scheme="bio3-shuffled")
    entry("bert1", "torchscript", 17, "ids-only", "input_ids alone", inputs=ALL[:1], scheme="iob1")
    entry("bert1", "torchscript", 17, "static", "no dynamic axes: one sequence of 24", static=24, scheme="default")
    entry("bert1", "torchscript", 17, "eager", attention="eager", scheme="bio2")
    entry("bert1", "torchscript", 17, "gelu_new", "tanh GELU written out by transformers", changes={"hidden_act": "gelu_new"}, scheme="bio1")
    entry("bert1", "torchscript", 17, "gelu_tanh", "tanh GELU written out by the exporter", changes={"hidden_act": "gelu_pytorch_tanh"},
          scheme="bio1")
    entry("bert1", "torchscript", 20, "gelu_tanh", "Gelu(approximate=tanh)", changes={"hidden_act": "gelu_pytorch_tanh"}, scheme="bio1")
    entry("bert1", "torchscript", 14, "half", "model.half(): weights and arithmetic float16", dtype="float16", scheme="bilou")
    entry("bert1", "torchscript", 17, "fp16-converted", "onnxconverter-common float16, keep_io_types", post=[["fp16"]], scheme="bio2")
    entry("bert1", "torchscript", 17, "bf16-weights", "initializers bfloat16, each behind a Cast to float32", post=[["bf16"]], scheme="bio2")
    entry("bert1", "torchscript", 17, "slim", "onnxslim", post=[["slim"]], scheme="bioes")
    entry("bert", "torchscript", 11, "hf430", "transformers 4.30", env=HF430, scheme="bio2", files="json")
    entry("bert1", "torchscript", 14, "hf430", "transformers 4.30", env=HF430, scheme="bilou")
    entry("bert", "dynamo", 18, "default", "names kept", scheme="bio2", files="json")
    entry("bert1", "dynamo", 20, "default", scheme="bioes")
    entry("bert1", "dynamo", 23, "default", "Attention of the standard", scheme="bilou")
    entry("bert1", "dynamo", 24, "default", "newest the exporter writes", scheme="iob1")
    entry("bert1", "dynamo", 17, "default", "converted down by the exporter", scheme="plain")
    entry("bert1", "dynamo", 18, "eager", attention="eager", scheme="bio2-reversed")
    entry("bert1", "dynamo", 18, "nofold", "optimize=False: function calls left", fold=False, scheme="bio1")
    entry("bert1", "dynamo", 18, "ids-only", inputs=ALL[:1], scheme="bio1")
    entry("bert1", "dynamo", 18, "static", "no dynamic axes: one sequence of 24", static=24, scheme="default")
    entry("bert1", "dynamo", 18, "external", "weights in model.onnx.data", external=True, scheme="bio2")
    entry("bert1", "dynamo", 18, "half", dtype="float16", scheme="bio1")
    entry("bert1", "dynamo", 18, "bf16", "model.bfloat16()", dtype="bfloat16", scheme="bio1")
    entry("bert1", "dynamo", 18, "gelu_new", changes={"hidden_act": "gelu_new"}, scheme="bio1")
    entry("bert1", "dynamo", 20, "gelu_tanh", "Gelu(approximate=tanh)", changes={"hidden_act": "gelu_pytorch_tanh"}, scheme="bio1")
    entry("bert", "optimum", 14, "default", "transformers 4.57", scheme="bio3", files="json")
    entry("bert1", "optimum", 18, "default", scheme="iob1")
    entry("bert1", "optimum", 14, "slim", "optimum --slim", slim=True, scheme="bio1")
    entry("bert1", "optimum", 14, "O2", "optimum --optimize O2: fusions", optimize="O2", scheme="bio2")
    entry("bert1", "optimum", 14, "O3", "optimum --optimize O3: and FastGelu", optimize="O3", scheme="bio2")

    # The others.
    for base, scheme in [("minilm", "bio3-shuffled"), ("distilbert", "bioes"), ("electra", "bio3"), ("roberta", "bio2-reversed"),
                         ("xlmr", "iob1"), ("camembert", "plain"), ("albert", "bio2")]:
        what = {"electra": "embeddings_project", "albert": "embedding factorization, shared layers", "roberta": "positions by CumSum",
                "minilm": "odd sizes: two heads of 7"}.get(base, "")
        entry(base, "torchscript", 17, "default", what, scheme=scheme, files="both")
        entry(base, "dynamo", 18, "default", what, scheme=scheme)
        if base not in ("minilm", "camembert"):
            entry(base, "optimum", 14, "default", what, scheme=scheme)
    entry("electra-same", "torchscript", 14, "no-project", "embedding size = hidden size", architecture="electra", scheme="bilou")
    entry("distilbert", "torchscript", 11, "hf430", "transformers 4.30", env=HF430, scheme="bio1")
    entry("roberta", "torchscript", 13, "hf430", "transformers 4.30", env=HF430, scheme="bio1")
    entry("albert", "torchscript", 14, "hf430", "transformers 4.30", env=HF430, scheme="bio1")
    entry("electra", "torchscript", 11, "hf430", "transformers 4.30", env=HF430, scheme="bio1")
    entry("roberta", "torchscript", 17, "ids-only", inputs=ALL[:1], scheme="bio1")
    entry("roberta", "dynamo", 20, "eager", attention="eager", scheme="bio1")
    entry("albert", "dynamo", 20, "eager", attention="eager", scheme="bio1")
    entry("distilbert", "dynamo", 23, "default", scheme="bio1")

    # Encoders alone; the classifier beside them.
    entry("bert1", "torchscript", 17, "encoder", "last_hidden_state and pooler_output; head.safetensors", task="encoder", env=HF457,
          scheme="bio2")
    entry("bert1", "optimum", 14, "encoder", "feature-extraction; head.safetensors", task="encoder", scheme="bio2")
    entry("distilbert", "torchscript", 17, "encoder", "head.safetensors", task="encoder", env=HF457, scheme="bio1")
    entry("distilbert", "dynamo", 18, "encoder", "head.safetensors", task="encoder", scheme="bio1")

    # Fused by ONNX Runtime's transformer optimizer and by its session.
    old = dict(env=HF430, scheme="bio1")
    entry("bert", "ortfuse", 14, "hf430", "optimizer, model_type bert", post=[["fuse", {}]], source="torchscript", **old)
    entry("bert1", "ortfuse", 14, "mask-index", "use_mask_index", post=[["fuse", {"use_mask_index": True}]], source="torchscript", **old)
    entry("bert1", "ortfuse", 14, "mha", "use_multi_head_attention", post=[["fuse", {"use_multi_head_attention": True}]],
          source="torchscript", **old)
    entry("bert1", "ortfuse", 14, "fastgelu", "gelu approximation", post=[["fuse", {"enable_gelu_approximation": True}]],
          source="torchscript", **old)
    entry("bert1", "ortfuse", 14, "half", "fused, then float16", post=[["fuse", {}], ["fuse-fp16"]], source="torchscript", **old)
    entry("bert1", "ortfuse", 17, "sdpa", "optimizer on a graph of today", post=[["fuse", {}]], source="torchscript", scheme="bio1")
    entry("bert1", "ortfuse", 18, "dynamo", "optimizer on dynamo's graph", post=[["fuse", {}]], source="dynamo", scheme="bio1")
    entry("distilbert", "ortfuse", 14, "hf430", "optimizer, model_type bert", post=[["fuse", {}]], source="torchscript", **old)
    entry("roberta", "ortfuse", 14, "hf430", "optimizer, model_type bert", post=[["fuse", {}]], source="torchscript", **old)
    entry("electra", "ortfuse", 14, "hf430", "optimizer, model_type bert", post=[["fuse", {}]], source="torchscript", **old)
    for level in ["basic", "extended"]:
        entry("bert1", "ortsession", 14, level, f"saved by a session at level {level}", post=[["session", level]], source="torchscript", **old)
    entry("bert1", "ortsession", 17, "extended", "a graph of today", post=[["session", "extended"]], source="torchscript", scheme="bio1")
    entry("bert1", "ortsession", 17, "static-extended", "no dynamic axes", post=[["session", "extended"]], source="torchscript", static=24,
          scheme="bio1")
    entry("bert1", "ortsession", 18, "dynamo-extended", post=[["session", "extended"]], source="dynamo", scheme="bio1")
    entry("albert", "ortsession", 17, "extended", post=[["session", "extended"]], source="torchscript", scheme="bio1")

    # Quantized.
    entry("bert", "qdynamic", 14, "u8", "quantize_dynamic, weights uint8", post=[["dynamic", {"weight": "u8"}]], source="optimum",
          env=HF457, scheme="bio2")
    entry("bert1", "qdynamic", 17, "s8", post=[["dynamic", {"weight": "s8"}]], source="torchscript", scheme="bio2")
    entry("bert1", "qdynamic", 14, "s8-per-channel", "as Optimum's ORTQuantizer for avx512_vnni",
          post=[["dynamic", {"weight": "s8", "per_channel": True}]], source="optimum", env=HF457, scheme="bio2")
    entry("bert1", "qdynamic", 14, "u8-per-channel-reduced", "per_channel and reduce_range",
          post=[["dynamic", {"weight": "u8", "per_channel": True, "reduce_range": True}]], source="optimum", env=HF457, scheme="bio2")
    entry("bert1", "qdynamic", 11, "u8-hf430", post=[["dynamic", {"weight": "u8"}]], source="torchscript", **old)
    entry("bert1", "qdynamic", 18, "s8-dynamo", post=[["dynamic", {"weight": "s8"}]], source="dynamo", scheme="bio2")
    entry("bert1", "qdynamic", 14, "matmul-only", "only MatMul quantized, embeddings float",
          post=[["dynamic", {"weight": "s8", "ops": ["MatMul"]}]], source="optimum", env=HF457, scheme="bio2")
    entry("bert1", "qdynamic", 14, "fused-u8", "QAttention", post=[["fuse", {}], ["dynamic", {"weight": "u8"}]], source="torchscript", **old)
    entry("bert1", "qdynamic", 14, "fused-s8-per-channel", "QAttention",
          post=[["fuse", {}], ["dynamic", {"weight": "s8", "per_channel": True}]], source="torchscript", **old)
    entry("bert1", "qdynamic", 14, "u8-session-extended", "DynamicQuantizeMatMul", post=[["dynamic", {"weight": "u8"}], ["session", "extended"]],
          source="torchscript", **old)
    entry("bert1", "qdynamic", 17, "s8-per-channel-session-extended", "DynamicQuantizeMatMul",
          post=[["dynamic", {"weight": "s8", "per_channel": True}], ["session", "extended"]], source="torchscript", scheme="bio2")
    entry("bert1", "qdynamic", 14, "fused-u8-session-extended", "QAttention and DynamicQuantizeMatMul",
          post=[["fuse", {}], ["dynamic", {"weight": "u8"}], ["session", "extended"]], source="torchscript", **old)
    for base, opset, scheme in [("distilbert", 14, "bioes"), ("roberta", 14, "bio2"), ("xlmr", 14, "iob1"), ("albert", 14, "bio2"),
                                ("electra", 14, "bio3")]:
        entry(base, "qdynamic", opset, "u8", post=[["dynamic", {"weight": "u8"}]], source="optimum", env=HF457, scheme=scheme)
    entry("bert1", "qstatic", 14, "qdq", "quantize_static, QDQ, u8 activations, s8 weights", post=[["static", {"format": "QDQ"}]],
          source="optimum", env=HF457, scheme="bio2")
    entry("bert1", "qstatic", 14, "qdq-per-channel", post=[["static", {"format": "QDQ", "per_channel": True}]], source="optimum",
          env=HF457, scheme="bio2")
    entry("bert1", "qstatic", 14, "qoperator", "QLinearMatMul, QGemm", post=[["static", {"format": "QOperator"}]], source="optimum",
          env=HF457, scheme="bio2")
    entry("bert", "q4", 17, "matmulnbits", "MatMulNBits, blocks of 16", post=[["nbits", {}]], source="torchscript", scheme="bio2")

    # Checkpoints.
    for base, dtype, scheme in [("bert", "float32", "bio2"), ("minilm", "float32", "bio1"), ("distilbert", "float32", "bioes"),
                                ("electra", "float32", "bio3"), ("roberta", "float16", "bio2-reversed"), ("xlmr", "float32", "iob1"),
                                ("camembert", "bfloat16", "plain"), ("albert", "float32", "bio2")]:
        entry(base, "safetensors", None, {"float16": "fp16", "bfloat16": "bf16"}.get(dtype, ""), dtype=dtype, scheme=scheme, files="both")

    # Not ours.
    small = dict(vocab_size=60, hidden_size=12, num_attention_heads=2, num_hidden_layers=1, intermediate_size=20,
                 max_position_embeddings=32, id2label={0: "O", 1: "B-MED", 2: "I-MED"}, label2id={"O": 0, "B-MED": 1, "I-MED": 2})
    relu = dict(small, model_type="bert", hidden_act="relu")
    relative = dict(small, model_type="bert", position_embedding_type="relative_key")
    deberta = dict(small, model_type="deberta-v2", relative_attention=True, position_buckets=8, pos_att_type=["p2c", "c2p"],
                   share_att_key=True, norm_rel_ebd="layer_norm", max_relative_positions=-1, position_biased_input=False)
    tokens = "BertForTokenClassification"
    refused("bert-relu-onnx", "the feed-forward's activation is ReLU, not a GELU", relu, tokens)
    refused("bert-relu-dynamo", "the feed-forward's activation is ReLU, not a GELU", relu, tokens, exporter="dynamo", opset=18)
    refused("bert-relu-safetensors", "hidden_act is relu, not a GELU", relu, tokens, exporter="safetensors", opset=None)
    refused("bert-relative-key-onnx", "position_embedding_type relative_key: attention scores depend on distance", relative, tokens,
            env=HF457, opset=14)
    refused("bert-relative-key-safetensors", "position_embedding_type is relative_key", relative, tokens, env=HF457,
            exporter="safetensors", opset=None)
    refused("deberta-v2-onnx", "DeBERTa's disentangled attention", deberta, "DebertaV2ForTokenClassification", inputs=ALL)
    refused("deberta-v2-safetensors", "model_type deberta-v2: disentangled attention", deberta, "DebertaV2ForTokenClassification",
            exporter="safetensors", opset=None)
    gpt2 = dict(vocab_size=60, n_embd=12, n_head=2, n_layer=1, n_positions=32, model_type="gpt2", id2label=small["id2label"],
                label2id=small["label2id"], use_cache=False)
    refused("gpt2-onnx", "a decoder: causal attention, norms before the blocks", gpt2, "GPT2ForTokenClassification", inputs=TWO)
    refused("gpt2-safetensors", "model_type gpt2: a decoder", gpt2, "GPT2ForTokenClassification", exporter="safetensors", opset=None)
    refused("bert-sequence-classification-onnx", "one label for the whole text: output of shape [batch, labels]",
            dict(small, model_type="bert"), "BertForSequenceClassification")
    refused("bert-sequence-classification-safetensors", "BertForSequenceClassification: one label for the whole text",
            dict(small, model_type="bert"), "BertForSequenceClassification", exporter="safetensors", opset=None)
    mpnet = dict(small, model_type="mpnet", relative_attention_num_buckets=32)
    refused("mpnet-onnx", "MPNet's relative attention bias", mpnet, "MPNetForTokenClassification", inputs=TWO)
    modern = dict(small, model_type="modernbert", hidden_size=16, pad_token_id=0, bos_token_id=1, eos_token_id=2, cls_token_id=1, sep_token_id=2)
    refused("modernbert-onnx", "ModernBERT: rotary positions, gated feed-forward, norms before the blocks", modern,
            "ModernBertForTokenClassification", inputs=TWO)


def key(value):
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


class Kitchen:
    """Checkpoints, tokenizers and raw exports in a scratch folder, each made once."""

    def __init__(self, scratch):
        self.scratch = scratch
        self.tokenizers = {}
        self.models = {}

    def tokenizer(self, base):
        kind = zoo_models.BASES[base][1]
        if kind not in self.tokenizers:
            folder = self.scratch / "tokenizers" / kind
            self.tokenizers[kind] = (folder, zoo_models.tokenizer(kind, folder))
        return self.tokenizers[kind]

    def model(self, entry):
        """The float32 model and its checkpoint folder."""
        what = key([entry["base"], entry["scheme"], entry["changes"]])
        if what not in self.models:
            _, tokenizer = self.tokenizer(entry["base"])
            labels = zoo_models.SCHEMES[entry["scheme"]]
            seed = int(key(entry["base"]), 16) % 1000
            model = zoo_models.build(entry["base"], labels, len(tokenizer), seed, **entry["changes"])
            folder = self.scratch / "checkpoints" / what
            model.save_pretrained(folder)
            self.models[what] = (model, folder)
        return self.models[what]

    def prepare(self, entries):
        """Writes every entry's job down, by environment; entries of the same export share it."""
        jobs = {}
        for entry in entries:
            job = dict(entry["job"])
            if "build" not in job:
                job["model"] = str(self.model(entry)[1])
            job["exporter"] = job.pop("source", job["exporter"])
            entry["export"] = dict(job)
            what = key([job, entry["env"]])
            entry["raw"] = self.scratch / "raw" / what
            jobs.setdefault(entry["env"], {})[what] = {**job, "name": entry["name"], "out": str(entry["raw"])}
        return {env: list(byname.values()) for env, byname in jobs.items()}


def run_jobs(python, jobs, scratch):
    path = scratch / f"jobs-{key(jobs)}.json"
    path.write_text(json.dumps(jobs))
    quiet = {**os.environ, "TRANSFORMERS_VERBOSITY": "error", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    subprocess.run([python, str(Path(__file__).with_name("zoo_export.py")), str(path)], check=True, env=quiet)


def shortened(entry):
    """Whether to write names and answers short: all but one folder of each exporter and of each architecture."""
    return entry["name"] not in NAMED and entry["job"]["exporter"] != "safetensors"


def sequences(entry, tokenizer):
    """One token, a short text, a longer one, and in the main folders random ids as many as there are positions for."""
    size = len(tokenizer)
    kind = entry["kind"]
    longest = zoo_models.BASES[entry["base"]][2]["max_position_embeddings"] - (2 if kind in ("roberta", "xlm-roberta", "camembert") else 0)
    rng = np.random.default_rng(int(key(entry["name"]), 16) % 2**32)
    if entry["job"]["static"]:
        return [{"ids": rng.integers(5, size, entry["job"]["static"]).tolist()} for _ in range(3)]
    lengths = {text: len(tokenizer(text)["input_ids"]) for text in [" ".join(zoo_models.LONG), *zoo_models.LONG]}
    long = max((text for text in lengths if lengths[text] <= longest), key=lengths.get)
    found = [{"ids": rng.integers(7, size, 1).tolist()},
             *({"text": text, "ids": tokenizer(text)["input_ids"]} for text in (zoo_models.SHORT, long))]
    return found if shortened(entry) else [*found, {"ids": rng.integers(7, size, longest).tolist()}]


@torch.no_grad()
def torch_emissions(model, ids):
    return model(torch.tensor([ids])).logits[0].float().numpy()


def ort_run(path, ids):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    every = dict(zip(ALL, [np.array([ids], np.int64), np.ones((1, len(ids)), np.int64), np.zeros((1, len(ids)), np.int64)]))
    types = {"tensor(int32)": np.int32, "tensor(int64)": np.int64}
    given = {put.name: every[put.name].astype(types[put.type]) for put in session.get_inputs()}
    return session.run(None, given)[0][0].astype(np.float32)


def histogram(path):
    """Operators by frequency, those of functions and branches included; and the versions of the operator sets."""
    model = onnx.load(path, load_external_data=False)
    counts = Counter()

    def visit(nodes):
        for node in nodes:
            short = {"": "", "ai.onnx": "", "com.microsoft": "ms:"}.get(node.domain, node.domain + ":")
            counts[short + node.op_type] += 1
            for attribute in node.attribute:
                if attribute.type == onnx.AttributeProto.GRAPH:
                    visit(attribute.g.node)
    for graph in [model.graph, *model.functions]:
        visit(graph.node)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))), {o.domain or "ai.onnx": o.version for o in model.opset_import}


def compact_json(source, target):
    fields = json.loads(source.read_text(encoding="utf-8"))
    fields.pop("_name_or_path", None)
    target.write_text(compact(fields), encoding="utf-8")


def round_trip(model, dtype):
    """A float32 copy of the model with its weights rounded to a narrower type."""
    copy = type(model)(model.config)
    copy.load_state_dict({name: tensor.to(dtype).float() for name, tensor in model.state_dict().items()})
    return copy.eval()


def finish(entry, kitchen, out):
    """One folder from its raw export; returns a line for the table."""
    raw = entry["raw"]
    if (raw / "failed.txt").exists():
        raise RuntimeError((raw / "failed.txt").read_text().strip().splitlines()[-1])
    job = entry["job"]
    folder = out / entry["name"]
    shutil.rmtree(folder, ignore_errors=True)
    work = kitchen.scratch / "work" / entry["name"]
    shutil.copytree(raw, work)
    path = work / "model.onnx"
    model = kitchen.model(entry)[0] if "base" in entry else None
    versions = {**json.loads((raw / "versions.json").read_text()), "onnxruntime": onnxruntime.__version__,
                "tokenizers": tokenizers.__version__, "numpy": np.__version__}
    tests = sequences(entry, kitchen.tokenizer(entry["base"])[1]) if model else []
    for step in entry.get("post", []):
        versions.update(zoo_convert.STEPS[step[0]](path, model and model.config, *step[1:], samples=[t["ids"] for t in tests]) or {})
    if path.exists() and shortened(entry):
        zoo_convert.shorten(path)
    folder.mkdir(parents=True)
    for file in sorted(work.iterdir()):
        if file.name == "config.json":
            compact_json(file, folder / file.name)
        elif file.name not in ("versions.json", "failed.txt"):
            shutil.copyfile(file, folder / file.name)
    answers = {"made_by": "tools/make_zoo.py", "versions": versions, "architecture": entry["kind"], "exporter": entry["export"]["exporter"],
               "opset": job["opset"]}
    if entry.get("post"):
        answers["then"] = entry["post"]
    if entry["note"]:
        answers["note"] = entry["note"]
    line = {"folder": entry["name"], "architecture": entry["kind"], "exporter": entry["export"]["exporter"], "opset": job["opset"],
            "note": entry["note"]}
    if path.exists():
        line["ops"], opsets = histogram(folder / "model.onnx")
        answers["opset"] = opsets["ai.onnx"]
        line["opset"] = opsets["ai.onnx"]
        answers["domains"] = opsets
    if "why" in entry:
        answers["why"] = entry["why"]
        (folder / "expected.json").write_text(compact(answers), encoding="utf-8")
        return line
    tokenizer_folder, _ = kitchen.tokenizer(entry["base"])
    for name in {"json": ["tokenizer.json"], "vocab": ["vocab.txt"], "both": ["tokenizer.json", "vocab.txt"]}[entry["files"]]:
        if (tokenizer_folder / name).exists():
            (compact_json if name.endswith("json") else shutil.copyfile)(tokenizer_folder / name, folder / name)
    compact_json(tokenizer_folder / "tokenizer_config.json", folder / "tokenizer_config.json")
    answers["labels"] = zoo_models.SCHEMES[entry["scheme"]]
    head = None
    if job["task"] == "encoder":
        from safetensors.torch import save_file
        head = model.classifier.weight.detach().numpy(), model.classifier.bias.detach().numpy()
        save_file({"classifier.weight": model.classifier.weight.detach(), "classifier.bias": model.classifier.bias.detach()},
                  folder / "head.safetensors")
    worst = 0.0
    oracle = f"onnxruntime {onnxruntime.__version__} (CPU, graph optimizations disabled)"
    rounded = round_trip(model, getattr(torch, job["dtype"])) if job["dtype"] != "float32" else model
    for test in tests:
        float_emissions = torch_emissions(rounded, test["ids"])
        if path.exists() and job["dtype"] != "bfloat16":
            got = ort_run(folder / "model.onnx", test["ids"])
            if head:
                got = got @ head[0].T + head[1]
        else:
            got = float_emissions
            oracle = f"PyTorch {torch.__version__}, float32" + (f" from the weights in {job['dtype']}" if rounded is not model else "")
        test["emissions"] = numbers(got)
        worst = max(worst, float(np.abs(got - float_emissions).max()))
        if job["dtype"] == "float16" and path.exists() or any(s[0] in zoo_convert.LOSSY for s in entry["post"]):
            test["float_emissions"] = numbers(float_emissions)
    line["worst"] = worst
    answers |= {"sequences": tests, "oracle": oracle + (", classifier in float32" if head else ""),
                "largest_difference_from_float": float(f"{worst:.2g}")}
    (folder / "expected.json").write_text(compact(answers), encoding="utf-8")
    return line


README = f"""# The zoo

Tiny random models of the BERT family as real exporters write them, each with ONNX Runtime's emissions (`expected.json`). Made by
`tools/make_zoo.py`, which also wrote this table.

`ms:` marks operators of com.microsoft. `diff` is the largest difference of the emissions from PyTorch's in float32: that of rounding,
except where weights or activations are narrower. Names of inner values and of nodes are kept only in
{", ".join(NAMED)};
elsewhere they are numbered and shape notes removed, for size. Inputs, outputs and weights keep their names everywhere.

| folder | architecture | exporter | opset | diff | special | operators |
|---|---|---|---|---|---|---|
"""


def readme(lines):
    rows = []
    for line in sorted(lines, key=lambda line: line["folder"]):
        ops = ", ".join(f"{name} {count}" if count > 1 else name for name, count in line.get("ops", {}).items())
        worst = f"{line['worst']:.1e}" if "worst" in line else ""
        rows.append(f"| {line['folder']} | {line['architecture']} | {line['exporter']} | {line['opset'] or ''} | {worst} | "
                    f"{line['note']} | {ops} |\n")
    return README + "".join(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, help="test/fixtures/zoo")
    parser.add_argument("--python457", help="a Python with transformers 4.57 and optimum-onnx")
    parser.add_argument("--python430", help="a Python with transformers 4.30")
    parser.add_argument("--only", default="", help="regular expression: only these folders, and no README.md")
    args = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    pythons = {None: sys.executable, HF457: args.python457, HF430: args.python430}
    out = Path(args.out)
    catalogue()
    chosen = [entry for entry in ENTRIES if re.search(args.only, entry["name"]) and pythons[entry["env"]]]
    lines, failed = [], []
    with tempfile.TemporaryDirectory() as scratch:
        kitchen = Kitchen(Path(scratch))
        for env, jobs in kitchen.prepare(chosen).items():
            run_jobs(pythons[env], jobs, Path(scratch))
        for entry in chosen:
            try:
                lines.append(finish(entry, kitchen, out))
                print(entry["name"], f"{lines[-1].get('worst', 0):.1e}", flush=True)
            except Exception as error:
                failed.append(entry["name"])
                shutil.rmtree(out / entry["name"], ignore_errors=True)
                print(f"{entry['name']} FAILED {type(error).__name__}: {str(error)[:400]}", flush=True)
    if len(chosen) == len(ENTRIES) and not args.only:
        (out / "README.md").write_text(readme(lines), encoding="utf-8")
    total = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    print(f"{len(lines)} folders, {len(failed)} failed: {failed}; {total:,} bytes in all")


if __name__ == "__main__":
    main()
