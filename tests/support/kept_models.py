"""Fine-tuned models of the toy tasks, kept in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from usage_examples import bert, draw, examples_of

from firth.bert.folder import save as save_bert
from firth.config.usages import Evaluation, Finetuning
from firth.tasks.examples.files import Examples
from firth.tasks.usages.encoders import from_folder
from firth.tasks.usages.keeping import keep
from firth.tasks.usages.score import Scored, score_task

SHORT = Finetuning(learning_rate=3e-3, epochs=2, batch=16)


def examples(folder: Path, kind: str, **manifest: Any) -> Examples:
    """Sixty examples to train on and thirty to score on."""
    if kind == "span":  # an answer of the greatest length is to be whole in a window
        manifest = {"length": 48} | manifest
    return examples_of(folder / "examples", kind, draw(kind, 60, 1), draw(kind, 30, 2), **manifest)


def trained(folder: Path, kind: str, drawn: Examples | None = None, **settings: Any) -> tuple[Scored, Path]:
    """A toy BERT, fine-tuned, scored and kept: the scores, and the kept model's folder."""
    save_bert(folder / "bert", bert())
    drawn = drawn or examples(folder, kind)
    asked = {"modes": ["finetuned"], "finetuning": SHORT, "seeds": [1, 2], "threads": 1} | settings
    evaluation = Evaluation(**asked)
    source = from_folder(folder / "bert", "toy", evaluation)
    scored = score_task(drawn, {"toy": source}, evaluation)
    (row,) = (row for row in scored.results["systems"] if row["system"] == "toy-finetuned")
    keep(folder / "kept", drawn, source, evaluation, row)
    return scored, folder / "kept"
