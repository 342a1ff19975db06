"""What a model costs whoever serves it: the size of its files, and how long one answer takes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from firth.config.evaluation import GateModel
from firth.tracking.trained import WORD_MODELS

TOKENS = 128
"""Of the text that a BERT encodes; fewer where it has fewer positions."""

ANSWERS, BEFORE = 20, 3
"""Answers that are timed, and those before them that are not."""

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Footprint:
    """Megabytes (of 10⁶ bytes) of the model's folder; milliseconds of one answer, None where nobody asked."""

    megabytes: float
    milliseconds: float | None = None

    def data(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)


def footprint(model: GateModel, folder: Path, timed: bool) -> Footprint:
    """Measure the model in `folder`; `timed` asks for milliseconds, too.

    An answer is a text of `TOKENS` tokens encoded by a BERT, or the ten nearest neighbours of one word; the median of
    `ANSWERS`, on one CPU thread of the machine that decides, one after the other.
    """
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return Footprint(round(size / MEGABYTE, 3), _milliseconds(model, folder) if timed else None)


def _milliseconds(model: GateModel, folder: Path) -> float:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        answer = _neighbours(folder) if model in WORD_MODELS else _encoding(folder)
        taken = []
        for _ in range(BEFORE + ANSWERS):
            started = time.perf_counter()
            answer()
            taken.append(time.perf_counter() - started)
    return round(1000 * statistics.median(taken[BEFORE:]), 3)


def _neighbours(folder: Path) -> Callable[[], object]:
    from firth.vectors.vectors import Vectors

    vectors = Vectors.load(folder)
    word = vectors.vocabulary.words[0]
    return lambda: vectors.most_similar(word, 10)


def _encoding(folder: Path) -> Callable[[], object]:
    from firth.encode.load import load_model
    from firth.encode.use import encode

    bert = load_model(folder)
    text = " ".join(["word"] * TOKENS)  # each word is a piece at least, unknown ones included; the text is cut
    length = min(TOKENS, bert.model.architecture.positions)
    return lambda: encode(bert, [text], length=length)
