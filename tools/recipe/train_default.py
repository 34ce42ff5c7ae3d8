"""Makes the default model from the data folder, step by step: splits, vocabulary, pretraining, fine-tuning, exports, scores.

Each step is a program of its own with its own options; this one runs them in order with the settings of the published model and
skips a step whose output is there. See README.md for what each takes.
"""

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


# The fine-tuning runs, by seed, whose weights are averaged into the default model.
RUNS = {
    1: {"epochs": 16, "patience": 16, "rate": 4e-4, "exchange": 0.4, "mask": 0.1},
    2: {"epochs": 9, "patience": 9, "rate": 5e-4, "exchange": 0.25, "mask": 0.07},
}
BY_DRUG = {"epochs": 9, "patience": 9, "rate": 5e-4, "exchange": 0.4, "mask": 0.1}


def run(program, **options):
    """Runs a program of this folder; an option that is a list is given once for each item."""
    words = []
    for name, value in options.items():
        for item in value if isinstance(value, list) else [value]:
            words += [f"--{name.replace('_', '-')}", str(item)]
    print("#", program, *words, flush=True)
    subprocess.run([sys.executable, str(HERE / program), *words], check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="data folder (meder/, bangla_text/, lexicons/)")
    parser.add_argument("--out", required=True, help="folder for everything that is made")
    parser.add_argument("--pretrain-minutes", type=float, default=37)
    parser.add_argument("--finetune-minutes", type=float, default=18)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--by-drug", action="store_true", help="also fine-tune and score on the split by drug")
    args = parser.parse_args()
    out = Path(args.out)
    if not (out / "test.jsonl").exists():
        run("meder.py", data=args.data, out=out)
    if not (out / "vocab" / "tokenizer.json").exists():
        run("make_vocab.py", data=args.data, out=out / "vocab")
    if not (out / "mlm" / "encoder.pt").exists():
        run("pretrain.py", data=args.data, vocab=out / "vocab", out=out / "mlm", minutes=args.pretrain_minutes,
            threads=args.threads)
    tuning = {"data": args.data, "vocab": out / "vocab", "encoder": out / "mlm" / "encoder.pt",
              "minutes": args.finetune_minutes, "threads": args.threads}
    folders = []
    for seed, settings in RUNS.items():
        folders.append(out / f"run{seed}")
        if not (folders[-1] / "scores.json").exists():
            run("finetune.py", out=folders[-1], split="random", seed=seed, **settings, **tuning)
    if not (out / "final" / "scores.json").exists():
        run("finish.py", run=folders, valid=out / "valid.jsonl", test=out / "test.jsonl", out=out / "final", threads=args.threads)
    run("export.py", model=out / "final", out=out)
    run("evaluate.py", model=out / "final", data=out / "test.jsonl")
    if args.by_drug:
        run("finetune.py", out=out / "by-drug", split="drug", seed=2, **BY_DRUG, **tuning)


if __name__ == "__main__":
    main()
