"""What the page is drawn from: the earlier stages' outputs, read once and checked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firth.canonical import read_json
from firth.errors import DataError, IntegrityError
from firth.word2vec.vectors import Vectors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MODEL_ORDER = ("skipgram", "cbow")
MODEL_LABELS = {"skipgram": "Skip-gram", "cbow": "CBOW"}


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


def read_inputs(data: Path) -> Inputs:
    """Read `data/{raw,corpus,validation,vectors,tasks}`; what is missing or torn is named in an `IntegrityError`."""
    validations = [read_json(path) for path in sorted((data / "validation").glob("*/results.json"))]
    documented = frozenset(
        path.parent.parent.name for path in (data / "validation").glob("*/docs/index.html") if path.is_file()
    )
    models = [read_model(folder) for folder in _model_folders(data / "vectors")]
    if not models:
        raise IntegrityError(f"{data / 'vectors'}: no trained vectors; run the word2vec stages first")
    tasks = data / "tasks" / "words"
    return Inputs(
        raw={path.parent.name: read_json(path) for path in sorted((data / "raw").glob("*/manifest.json"))},
        manifest=read_json(data / "corpus" / "manifest.json"),
        drops=read_json(data / "corpus" / "drops.json"),
        validations=validations,
        documented=documented,
        models=models,
        results=read_json(tasks / "results.json"),
        predictions={model.name: list(_json_lines(tasks / f"predictions-{model.name}.jsonl")) for model in models},
    )


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
