"""Keeping the model behind a score. It is made again, where it is not the last one that was trained."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from firth.config.usages import Evaluation, Finetuning, HeadName, Mode
from firth.tasks.encoders.contextual import BertEncoder, threads
from firth.tasks.encoders.sources import Source
from firth.tasks.encoders.static import StaticEncoder
from firth.tasks.examples.files import Examples
from firth.tasks.kept.folder import description, save
from firth.tasks.kept.forms import FINETUNED, Form
from firth.tasks.kept.training import trained
from firth.tasks.learning.finetune import finetune
from firth.tasks.learning.models import Model
from firth.tasks.usages.problems import Problem, problem_of

DIGITS = 6


class Last:
    """The last model of one system that was trained; of several there may be no room for more."""

    def __init__(self) -> None:
        self._last: tuple[int, Finetuning, Model] | None = None

    def see(self, seed: int, settings: Finetuning, model: Model) -> None:
        """Remember this one, forget the one before."""
        self._last = seed, settings, model

    def found(self, seed: int, settings: Finetuning) -> Model | None:
        """The remembered one, where it is of this seed and these settings."""
        return self._last[2] if self._last is not None and self._last[:2] == (seed, settings) else None


def keep(
    folder: Path,
    examples: Examples,
    source: Source,
    settings: Evaluation,
    row: Mapping[str, Any],
    last: Last | None = None,
) -> dict[str, Any]:
    """Write the model that has the score of `row` to `folder`; what was said about it in `task.json`.

    An evaluation keeps scores and outputs of its trainings, not weights: some of them may not even have been made, but
    found from before. So this one, of the seed and settings that the score is of, is made once more, to the same
    weights, where it is not the one that `last` has seen.

    Args:
        folder: as `firth.tasks.kept.folder.save` takes it.
        examples: those of the evaluation.
        source: the encoder that was scored.
        settings: those of the evaluation.
        row: the system's row in `results.json`.
        last: what saw the evaluation's trainings of this very system on these examples, and no others.

    Raises:
        FirthError: `folder` cannot be written.
    """
    mode, head = way_of(row)
    seed = row["details"]["seed"]
    tuning, epoch = _settings_of(row, settings)
    found = None if last is None or epoch is not None else last.found(seed, tuning)
    encoder = source.load() if found is None else found.encoder
    assert isinstance(encoder, BertEncoder | StaticEncoder)
    form = Form("bert" if isinstance(encoder, BertEncoder) else "vectors", mode, head)
    problem = problem_of(examples)
    with threads(settings.threads):
        if found is not None:
            model = found
        elif isinstance(encoder, BertEncoder) and form == FINETUNED:
            start = None if source.start is None else source.start(problem.usage).head
            model = _trained(problem, examples, encoder, tuning, seed, epoch, settings.rate_from, start)
        else:
            train = problem.read(encoder, examples.train)
            model = trained(form, encoder, train, problem.targets(train), settings, seed, source.label)
        dev = problem.read(encoder, examples.dev)
        predicted = problem.predict(model.logits(dev), dev)
    manifest = examples.manifest
    score = round(problem.measures(predicted)[manifest["metric"]].score, DIGITS) + 0.0
    if score != row["score"]:
        print(
            f"made again, this training scores {score}, not {row['score']}: it is not the same to the last digit on "
            "this machine; kept is the new one, with its own score",
            file=sys.stderr,
        )
    used = tuning.model_dump(mode="json") if form == FINETUNED else _settings_for(form, settings)
    said: dict[str, Any] = {
        "kind": examples.kind,
        "usage": description(problem.usage),
        "task": {
            **{key: value for key, value in manifest.items() if key in ("task", "title", "licence", "attribution")},
            "examples": {"train": len(examples.train), "dev": len(examples.dev)},
            "digests": {side: manifest["files"][f"{side}.jsonl"]["sha256"] for side in ("train", "dev")},
        },
        "score": {"metric": manifest["metric"], "dev": score},
        "training": {
            "settings": used,
            "seed": seed,
            "epochs_done": epoch or used["epochs"],
            "threads": settings.threads,
            **(_computed(encoder) if isinstance(encoder, BertEncoder) else {}),
            "weights_before": None if source.sha256 is None else source.sha256(),
        },
    }
    save(folder, form, model, said)
    return said


def way_of(row: Mapping[str, Any]) -> tuple[Mode, HeadName]:
    """Mode and head of a row in `results.json`."""
    suffix = row["system"].removeprefix(row["encoder"])
    return row["mode"], "bilstm" if suffix.endswith("-bilstm") else "linear"


def _computed(encoder: BertEncoder) -> dict[str, str]:
    return {"accelerator": encoder.device.kind, "precision": encoder.device.precision}


def _settings_for(form: Form, settings: Evaluation) -> dict[str, Any]:
    """What a training that no settings of fine-tuning apply to was made with."""
    used = (settings.bilstm if form.head == "bilstm" else settings.head).model_dump(mode="json")
    tuned = form.encoder == "vectors" and form.mode == "finetuned"
    return used | ({"vectors_learning_rate": settings.vectors_learning_rate} if tuned else {})


def _settings_of(row: Mapping[str, Any], settings: Evaluation) -> tuple[Finetuning, int | None]:
    """What the run that counts was trained with: its point of the grid, and its epoch where one was chosen."""
    details = row["details"]
    point = {name: details[name] for name in ("batch", "learning_rate", "epochs") if name in details}
    tuning = settings.finetuning.model_copy(update=point)
    own = {"seed": details["seed"], **point}
    runs = [run for run in row.get("runs", []) if all(run.get(key, value) == value for key, value in own.items())]
    return tuning, next((run["epoch"] for run in runs if "epoch" in run), None)


def _trained(
    problem: Problem,
    examples: Examples,
    encoder: BertEncoder,
    tuning: Finetuning,
    seed: int,
    epoch: int | None,
    rate_from: str,
    start: nn.Linear | None,
) -> Model:
    train = problem.read(encoder, examples.train)
    until = None if epoch is None else lambda _, done: done == epoch
    return finetune(encoder, train, problem.targets(train), tuning, seed, until, rate_from, start)
