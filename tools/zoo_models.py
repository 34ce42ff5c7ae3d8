"""What the zoo is made of: tiny random models, their vocabularies and tag schemes.

Weights are far larger than a trained model's, biases and LayerNorm parameters random, so that a wrong formula shows. The sentences
were written for this file.
"""

import math
import re
import tempfile
from collections import Counter
from pathlib import Path

import torch
import transformers

SENTENCES = [
    "জ্বর হলে প্যারাসিটামল নিন।",
    "রোগীর পেটে ব্যথা, রাতে কাশি।",
    "ইনসুলিন রক্তে কাজ করে।",
    "Paracetamol helps fever and pain.",
    "The doctor saw her liver.",
    "Take insulin at night.",
]
SHORT = "Paracetamol জ্বর কমায়।"
LONG = ["The doctor saw her liver.", "রাতে কাশি।"]
BERT_SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]

# Tag schemes by name. The first label is label id 0, which real models do not always give to "O".
SCHEMES = {
    "bio1": ["I-MED", "O", "B-MED"],
    "bio2": ["O", "B-PER", "B-LOC", "I-PER", "I-LOC"],
    "bio2-reversed": ["I-DIS", "I-MED", "B-DIS", "B-MED", "O"],
    "iob1": ["I-PER", "O", "I-LOC", "B-LOC", "B-PER"],
    "bioes": ["O", "B-MED", "I-MED", "E-MED", "S-MED"],
    "bilou": ["L-ORG", "O", "U-ORG", "B-ORG", "I-ORG"],
    "bio3": ["O", "B-MED", "I-MED", "B-ORG", "I-ORG", "B-DIS", "I-DIS"],
    "bio3-shuffled": ["B-LOC", "I-ORG", "O", "I-PER", "B-ORG", "I-LOC", "B-PER"],
    "plain": ["DRUG", "O", "DISEASE", "SYMPTOM"],
    "default": ["LABEL_0", "LABEL_1", "LABEL_2"],
}


def words():
    counts = Counter()
    for sentence in SENTENCES:
        counts.update(re.findall(r"[^\s.,।]+|[.,।]", sentence))
    return counts


def wordpiece(size=92, lowercase=False):
    """Every letter, as a word's first piece and as an inner one where it occurs so, then common beginnings and inner pieces."""
    counts = Counter()
    for word, times in words().items():
        word = word.lower() if lowercase else word
        for start in range(len(word)):
            for end in range(start + 1, min(len(word), start + 6) + 1):
                counts["##" * (start > 0) + word[start:end]] += times * (1000 if end == start + 1 else (end - start) ** 1.5)
    pieces = sorted(counts, key=lambda piece: (-counts[piece], piece))[:size - len(BERT_SPECIALS)]
    return [*BERT_SPECIALS, *sorted(pieces)]


def bpe(size=112):
    """Byte-level pairs, merged greedily; of equally frequent pairs the first in order of code points, so that a rerun is the same."""
    splitter = transformers.RobertaTokenizer(vocab={"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "<mask>": 4})
    counts = Counter()
    for sentence in [*SENTENCES, SHORT]:
        pieces = splitter.backend_tokenizer.pre_tokenizer.pre_tokenize_str(sentence)
        counts.update(tuple(piece) for piece, _ in pieces)
    symbols = sorted({symbol for word in counts for symbol in word})
    merges = []
    while len(symbols) + 5 < size:
        pairs = Counter()
        for word, times in counts.items():
            for pair in zip(word, word[1:]):
                pairs[pair] += times
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merged = Counter()
        for word, times in counts.items():
            out = []
            for symbol in word:
                if out and (out[-1], symbol) == best:
                    out[-1] += symbol
                else:
                    out.append(symbol)
            merged[tuple(out)] += times
        counts = merged
        merges.append(best)
        symbols.append("".join(best))
    vocabulary = ["<s>", "<pad>", "</s>", "<unk>", *symbols, "<mask>"]
    return {piece: index for index, piece in enumerate(vocabulary)}, merges


def unigram(size):
    """Letters and the commonest beginnings and inner pieces of words, each with a logarithm as SentencePiece gives it."""
    counts = Counter()
    for word, times in words().items():
        word = "\u2581" + word
        for start in range(len(word)):
            for end in range(start + 1, min(len(word), start + 8) + 1):
                counts[word[start:end]] += times * (end - start) ** 1.5
    total = sum(counts.values())
    letters = {piece for piece in counts if len(piece) == 1}
    others = sorted(counts.keys() - letters, key=lambda piece: (-counts[piece], piece))[:size - len(letters)]
    pieces = sorted([*letters, *others], key=lambda piece: (-counts[piece], piece))
    return [(piece, round(math.log(counts[piece] / total) - (0 if len(piece) > 1 else 2), 4)) for piece in pieces]


def charsmap(rules):
    """SentencePiece's compiled normalization (`rules`: "from hex TAB to hex"), which only its trainer makes."""
    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2 as proto
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "text").write_text("\n".join(SENTENCES) + "\n", encoding="utf-8")
        (Path(scratch) / "rules.tsv").write_text("".join(rule + "\n" for rule in rules), encoding="utf-8")
        sentencepiece.SentencePieceTrainer.train(
            input=f"{scratch}/text", model_prefix=f"{scratch}/m", vocab_size=100, num_threads=1, hard_vocab_limit=False, minloglevel=2,
            normalization_rule_tsv=f"{scratch}/rules.tsv")
        model = proto.ModelProto()
        model.ParseFromString((Path(scratch) / "m.model").read_bytes())
    return model.normalizer_spec.precompiled_charsmap


# Full-width forms, a ligature, no-break and ideographic spaces, two-part Bengali vowels put together, dotted letters taken apart.
RULES = ["FB01\t66 69", "A0\t20", "3000\t20", "FF21\t41", "FF22\t42", "FF41\t61", "9C7 9BE\t9CB", "9C7 9D7\t9CC", "9DF\t9AF 9BC", "200B\t"]


def tokenizer(kind, folder):
    """Saves the tokenizer as the library of today writes it (tokenizer.json and tokenizer_config.json, vocab.txt for WordPiece)."""
    folder.mkdir(parents=True)
    if kind.startswith("wordpiece"):
        pieces = wordpiece(lowercase=kind.endswith("lower"))
        made = transformers.BertTokenizer(vocab={piece: i for i, piece in enumerate(pieces)}, do_lower_case=kind.endswith("lower"),
                                          strip_accents=False if kind.endswith("lower") else None, model_max_length=512)
        (folder / "vocab.txt").write_text("".join(piece + "\n" for piece in pieces), encoding="utf-8")
    elif kind == "bpe":
        vocabulary, merges = bpe()
        made = transformers.RobertaTokenizer(vocab=vocabulary, merges=merges, model_max_length=512)
    elif kind == "xlmr":
        pieces = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *unigram(90), ("<mask>", 0.0)]
        made = transformers.XLMRobertaTokenizer(vocab=pieces, _spm_precompiled_charsmap=charsmap(RULES), model_max_length=512)
    elif kind == "camembert":
        pieces = [("<s>NOTUSED", 0.0), ("<pad>", 0.0), ("</s>NOTUSED", 0.0), ("<unk>", 0.0), ("<unk>NOTUSED", -100.0),
                  ("<s>", 0.0), ("</s>", 0.0), *unigram(85), ("<mask>", 0.0)]
        made = transformers.CamembertTokenizer(vocab=pieces, model_max_length=512)
    elif kind == "albert":
        pieces = [("<pad>", 0.0), ("<unk>", 0.0), ("[CLS]", 0.0), ("[SEP]", 0.0), ("[MASK]", 0.0), *unigram(88)]
        made = transformers.AlbertTokenizer(vocab=pieces, keep_accents=True, do_lower_case=False, model_max_length=512)
    made.save_pretrained(folder)
    return made


# Real models' settings, sizes apart: layer_norm_eps, one type for the RoBERTas, and where they put their special tokens.
ROBERTA = dict(max_position_embeddings=38, type_vocab_size=1, layer_norm_eps=1e-5, pad_token_id=1, bos_token_id=0, eos_token_id=2)
BASES = {
    "bert": ("bert", "wordpiece", dict(hidden_size=12, num_attention_heads=3, num_hidden_layers=2, intermediate_size=21,
                                       max_position_embeddings=36)),
    "bert1": ("bert", "wordpiece", dict(hidden_size=6, num_attention_heads=2, num_hidden_layers=1, intermediate_size=11,
                                        max_position_embeddings=36)),
    "minilm": ("bert", "wordpiece-lower", dict(hidden_size=14, num_attention_heads=2, num_hidden_layers=2, intermediate_size=19,
                                               max_position_embeddings=35)),
    "distilbert": ("distilbert", "wordpiece", dict(dim=9, n_heads=3, n_layers=2, hidden_dim=16, max_position_embeddings=36)),
    "electra": ("electra", "wordpiece-lower", dict(hidden_size=10, embedding_size=7, num_attention_heads=2, num_hidden_layers=2,
                                                   intermediate_size=17, max_position_embeddings=36)),
    "electra-same": ("electra", "wordpiece", dict(hidden_size=8, embedding_size=8, num_attention_heads=4, num_hidden_layers=1,
                                                  intermediate_size=20, max_position_embeddings=36)),
    "roberta": ("roberta", "bpe", dict(hidden_size=10, num_attention_heads=2, num_hidden_layers=2, intermediate_size=17, **ROBERTA)),
    "xlmr": ("xlm-roberta", "xlmr", dict(hidden_size=8, num_attention_heads=2, num_hidden_layers=2, intermediate_size=14, **ROBERTA)),
    "camembert": ("camembert", "camembert", dict(hidden_size=9, num_attention_heads=3, num_hidden_layers=2, intermediate_size=13,
                                                 **{**ROBERTA, "bos_token_id": 5, "eos_token_id": 6})),
    "albert": ("albert", "albert", dict(hidden_size=12, embedding_size=5, num_attention_heads=4, num_hidden_layers=2,
                                        num_hidden_groups=1, inner_group_num=1, intermediate_size=17, max_position_embeddings=36,
                                        hidden_act="gelu_new")),
}


def config(base, labels, vocabulary, **changes):
    kind, _, shape = BASES[base]
    return transformers.AutoConfig.for_model(kind, **{
        **shape, "vocab_size": vocabulary, "id2label": dict(enumerate(labels)),
        "label2id": {label: i for i, label in enumerate(labels)}, **changes})


def randomise(module, seed, std=0.25):
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in module.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        with torch.no_grad():
            parameter.copy_(1 + 0.3 * noise if re.search(r"(?i)norm\.weight$", name) else std * noise)
    return module.eval()


def build(base, labels, vocabulary, seed, **changes):
    made = transformers.AutoModelForTokenClassification.from_config(config(base, labels, vocabulary, **changes))
    return randomise(made, seed)
