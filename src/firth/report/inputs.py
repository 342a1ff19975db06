"""What the page is drawn from: the earlier stages' outputs, read once and checked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firth.canonical import read_json
from firth.errors import DataError, IntegrityError
from firth.report.shown import shown
from firth.vectors.vectors import Vectors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MODEL_ORDER = ("skipgram", "cbow")
MODEL_LABELS = {"skipgram": "Skip-gram", "cbow": "CBOW", "bert": "BERT"}


@dataclass(frozen=True)
class Model:
    """One trained model: its input vectors, the rows of `history.json`, and `training.json`."""

    name: str
    vectors: Vectors
    history: list[dict[str, Any]]
    training: dict[str, Any]

    @property
    def words(self) -> Sequence[str]:
        """(vocabulary,) most frequent first."""
        return self.vectors.vocabulary.words

    @property
    def counts(self) -> list[int]:
        """(vocabulary,) occurrences in the training text."""
        return [int(count) for count in self.vectors.vocabulary.counts]

    @property
    def unit(self) -> NDArray[np.float32]:
        """(vocabulary, dim) vectors of length one."""
        return self.vectors.unit

    @property
    def index(self) -> Mapping[str, int]:
        """Row of each word."""
        return self.vectors.vocabulary.ids

    @property
    def label(self) -> str:
        """The model's name as people write it."""
        return MODEL_LABELS.get(self.name, self.name)


@dataclass(frozen=True)
class BertRun:
    """The pretrained model: its folder, the rows of `history.json`, `training.json`, and what it was trained on."""

    folder: Path
    history: list[dict[str, Any]]
    training: dict[str, Any]
    tokenizer: dict[str, Any]
    store: dict[str, Any]
    store_folder: Path


@dataclass(frozen=True)
class TaskRun:
    """One task: its examples' `manifest.json`, `results.json`, the dev examples by id, and answers to them.

    They are those of the system that `shown` names.
    """

    name: str
    manifest: dict[str, Any]
    results: dict[str, Any]
    dev: dict[str, dict[str, Any]]
    shown: dict[str, Any] | None
    answers: list[dict[str, Any]]


@dataclass(frozen=True)
class Inputs:
    """Everything that stages before `report` wrote."""

    raw: dict[str, dict[str, Any]]
    manifest: dict[str, Any]
    drops: dict[str, Any]
    validations: list[dict[str, Any]]
    documented: frozenset[str]
    models: list[Model]
    results: dict[str, Any]
    predictions: dict[str, list[dict[str, Any]]]
    bert: BertRun
    tasks: list[TaskRun]


def read_inputs(data: Path, tasks: Sequence[str]) -> Inputs:
    """Read what the stages left in `data`, with the results of `tasks`.

    Raises:
        IntegrityError: outputs are missing, all named in one message, or one is torn.
    """
    _all_there(data, tasks)
    validations = [read_json(path) for path in sorted((data / "validation").glob("*/results.json"))]
    documented = frozenset(
        path.parent.parent.name for path in (data / "validation").glob("*/docs/index.html") if path.is_file()
    )
    models = [read_model(folder) for folder in _model_folders(data / "vectors")]
    words = data / "tasks" / "words"
    return Inputs(
        raw={path.parent.name: read_json(path) for path in sorted((data / "raw").glob("*/manifest.json"))},
        manifest=read_json(data / "corpus" / "manifest.json"),
        drops=read_json(data / "corpus" / "drops.json"),
        validations=validations,
        documented=documented,
        models=models,
        results=read_json(words / "results.json"),
        predictions={model.name: list(_json_lines(words / f"predictions-{model.name}.jsonl")) for model in models},
        bert=read_bert(data),
        tasks=[read_task(data, name) for name in tasks],
    )


def read_bert(data: Path) -> BertRun:
    """`data/models/bert` with the manifests of the tokenizer and of the token store."""
    folder = data / "models" / "bert"
    return BertRun(
        folder=folder,
        history=read_json(folder / "history.json"),
        training=read_json(folder / "training.json"),
        tokenizer=read_json(data / "tokenizer" / "manifest.json"),
        store=read_json(data / "tokens" / "pieces" / "manifest.json"),
        store_folder=data / "tokens" / "pieces",
    )


def read_task(data: Path, name: str) -> TaskRun:
    """One task's results with the examples that they are about."""
    examples, found = data / "examples" / name, data / "tasks" / name
    results = read_json(found / "results.json")
    system = shown(results)
    return TaskRun(
        name=name,
        manifest=read_json(examples / "manifest.json"),
        results=results,
        dev={str(row["id"]): row for row in _json_lines(examples / "dev.jsonl")},
        shown=system,
        answers=_answers(found, system["system"], name) if system else [],
    )


def _answers(found: Path, system: str, task: str) -> list[dict[str, Any]]:
    path = found / f"predictions-{system}.jsonl"
    if not path.is_file():
        raise IntegrityError(f"{path}: missing, though results.json has this system; run the stage tasks@{task} again")
    return list(_json_lines(path))


def _all_there(data: Path, tasks: Sequence[str]) -> None:
    """One error that names every output that is not there, and the stage that writes it."""
    wanted = [("corpus/manifest.json", "prepare"), ("corpus/drops.json", "prepare")]
    wanted += [(f"models/bert/{name}", "bert") for name in ("config.json", "history.json", "training.json")]
    wanted += [("tokenizer/manifest.json", "wordpiece"), ("tokens/pieces/manifest.json", "tokenize")]
    wanted += [("tasks/words/results.json", "word-tasks")]
    for task in tasks:
        wanted += [(f"examples/{task}/{name}", f"examples@{task}") for name in ("manifest.json", "dev.jsonl")]
        wanted += [(f"tasks/{task}/results.json", f"tasks@{task}")]
    missing = [f"{data / path} (stage {stage})" for path, stage in wanted if not (data / path).is_file()]
    if not _model_folders(data / "vectors"):
        missing.insert(0, f"{data / 'vectors'}/*/vectors.safetensors (stage word2vec)")
    if missing:
        raise IntegrityError(f"nothing to report on yet, missing: {', '.join(missing)}")


def read_model(folder: Path) -> Model:
    """The vectors in `folder`, with their vocabulary, history and training record."""
    return Model(
        name=folder.name,
        vectors=Vectors.load(folder),
        history=read_json(folder / "history.json"),
        training=read_json(folder / "training.json"),
    )


def _model_folders(vectors: Path) -> list[Path]:
    found = {path.parent.name: path.parent for path in vectors.glob("*/vectors.safetensors")}
    return [found[name] for name in sorted(found, key=lambda name: (_order(name), name))]


def _order(name: str) -> int:
    return MODEL_ORDER.index(name) if name in MODEL_ORDER else len(MODEL_ORDER)


def _json_lines(path: Path) -> Iterator[dict[str, Any]]:
    if not path.is_file():
        return
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                yield json.loads(line)
            except ValueError:
                raise DataError("not a JSON line", path, number) from None
