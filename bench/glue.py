"""A BERT fine-tuned on the tasks of GLUE (Wang et al., 2019) that are at hand, scored on their dev sides.

    python -m bench.glue --model MODEL --data GLUE --json glue.json

GLUE is a folder with CoLA, SST-2, MRPC, QQP, STS-B, MNLI and RTE as the benchmark publishes them (`CoLA/train.tsv`, …,
also packed as .xz or .gz; a part of a set has another name, such as `train_subset.tsv`). Heads, recipe and measures are
those of `firth evaluate`; on a GPU the encoder runs there, in bf16. The file is written after each task, and a task
that stands in it, of this model by this recipe, is not done again: a call that was ended can be repeated.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter

from firth.canonical import file_sha256, write_json
from firth.config.tasks import AnyTask
from firth.config.usages import MOST_SANE_EPOCHS, Evaluation, Finetuning
from firth.encode.load import folder_digest
from firth.errors import FirthError
from firth.tasks.encoders.sources import from_folder
from firth.tasks.evaluation.score import score_task
from firth.tasks.examples.build import build
from firth.tasks.examples.files import load
from firth.tasks.examples.named import entry_of, files_of, official_set

TASKS = ("CoLA", "SST-2", "MRPC", "QQP", "STS-B", "MNLI", "RTE")
"""MNLI is its matched dev side here."""


def score(name: str, model: Path, options: argparse.Namespace) -> dict[str, Any]:
    """What `firth evaluate` would write of one task."""
    found = official_set(f"glue/{name.lower()}" + ("-m" if name == "MNLI" else ""))
    sides: dict[str, Any] = {
        side: {"kind": "files", "path": str(path.resolve()), "sha256": file_sha256(path)}
        for side, path in files_of(found, options.data).items()
    }
    entry: dict[str, Any] = {**entry_of(found), **sides, "train_examples": options.train_examples}
    task: Any = TypeAdapter(AnyTask).validate_python(entry)
    with tempfile.TemporaryDirectory() as scratch:
        build(name.lower(), task, Path(scratch), Path.cwd())
        examples = load(Path(scratch))
    gpu = torch.cuda.is_available() and options.accelerator == "auto"
    settings = Evaluation(
        modes=["finetuned"],
        seeds=options.seeds,
        threads=options.threads,
        finetuning=Finetuning(epochs=options.epochs, learning_rate=options.learning_rate),
        accelerator="cuda" if gpu else "cpu",
        precision="bf16" if gpu else "fp32",
    )
    return score_task(examples, {"bert": from_folder(model, "BERT", settings)}, settings).results


def main() -> None:
    """Fine-tune and score, one task after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="folder of a BERT, ours or Hugging Face's")
    parser.add_argument("--data", type=Path, required=True, help="folder of GLUE")
    parser.add_argument("--json", type=Path, required=True, help="write the results there")
    parser.add_argument("--tasks", default=",".join(TASKS), help="some of them")
    parser.add_argument("--accelerator", choices=("auto", "cpu"), default="auto")
    parser.add_argument("--quick", action="store_true", help="CoLA, MRPC and RTE, 1,000 examples each, one epoch")
    parser.add_argument("--train-examples", type=int, default=10_000, help="of a task at most; a seeded subset")
    parser.add_argument("--epochs", type=int, default=3, help=f"{MOST_SANE_EPOCHS} at most")
    parser.add_argument("--learning-rate", type=float, default=5e-5)
    parser.add_argument("--seeds", type=lambda text: [int(part) for part in text.split(",")], default=[1])
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    if options.quick:
        options.tasks, options.train_examples, options.epochs = "CoLA,MRPC,RTE", 1000, 1
    if not 1 <= options.epochs <= MOST_SANE_EPOCHS:
        parser.error(
            f"--epochs {options.epochs}: 1 to {MOST_SANE_EPOCHS}; to train longer, `firth evaluate --protocol paper` "
            "with evaluation.grid.epochs"
        )
    recipe = {name: getattr(options, name) for name in ("train_examples", "epochs", "learning_rate", "seeds")}
    stamp, done = {"weights": folder_digest(options.model), "recipe": recipe}, dict[str, Any]()
    if options.json.is_file():
        before = json.loads(options.json.read_text(encoding="utf-8"))
        done = before.pop("tasks") if before.items() >= stamp.items() else {}
    failed = False
    for name in filter(None, options.tasks.split(",")):
        if name not in TASKS:
            parser.error(f"--tasks: {name}; there are {', '.join(TASKS)}")
        if name not in done:
            try:
                done[name] = score(name, options.model, options)
            except FirthError as error:
                print(f"{name}: {error}", file=sys.stderr, flush=True)
                failed = True
                continue
            write_json(options.json, {**stamp, "tasks": done})
        (system,), majority = done[name]["systems"], done[name]["majority"]["score"]
        print(
            f"{name}: {done[name]['metric']} {system['score']:.3f} [{system['low']:.3f}, {system['high']:.3f}], "
            f"majority {majority:.3f}; {done[name]['examples']['train']} to train on",
            flush=True,
        )
    sys.exit(failed)


if __name__ == "__main__":
    main()
