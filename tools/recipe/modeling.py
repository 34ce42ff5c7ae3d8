"""The default model's configuration, and the trained folder's form: Hugging Face model + CRF + tokenizer files."""

import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torchcrf import CRF
from transformers import BertConfig, BertForTokenClassification
from transformers.utils import logging

from meder import LABELS

logging.disable_progress_bar()

TOKENIZER_FILES = ["tokenizer.json", "tokenizer_config.json", "vocab.txt"]
CRF_ARRAYS = ["start_transitions", "end_transitions", "transitions"]


def default_config(vocabulary=16000, labels=LABELS, **changes):
    return BertConfig(**{**dict(
        vocab_size=vocabulary, hidden_size=256, num_hidden_layers=4, num_attention_heads=4, intermediate_size=1024,
        hidden_act="gelu", max_position_embeddings=512, type_vocab_size=2, layer_norm_eps=1e-12, pad_token_id=0,
        hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.1,
        id2label=dict(enumerate(labels)), label2id={label: i for i, label in enumerate(labels)},
    ), **changes})


def build(config):
    return BertForTokenClassification._from_config(config, attn_implementation="eager")


def save(folder, model, crf, tokenizer_folder):
    folder = Path(folder)
    model.save_pretrained(folder)
    save_file({name: getattr(crf, name).detach().float().contiguous() for name in CRF_ARRAYS},
              str(folder / "crf.safetensors"))
    for name in TOKENIZER_FILES:
        shutil.copyfile(Path(tokenizer_folder, name), folder / name)


def load_crf(folder):
    arrays = load_file(str(Path(folder, "crf.safetensors")))
    crf = CRF(len(arrays["start_transitions"]), batch_first=True)
    with torch.no_grad():
        for name in CRF_ARRAYS:
            getattr(crf, name).copy_(arrays[name])
    return crf
