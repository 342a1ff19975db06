"""Files of the official forms, written small."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

Write = Callable[..., Path]


@pytest.fixture
def tsv(tmp_path: Path) -> Write:
    """Writes rows of fields between tabs: `tsv("dev.tsv", ["index", …], [0, …])`."""

    def write(name: str, *rows: Sequence[object]) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows), encoding="utf-8")
        return path

    return write


@pytest.fixture
def predicted(tsv: Write) -> Write:
    """Writes a file of predictions: in order, or by index."""

    def write(given: Sequence[object] | Mapping[int, object], name: str = "pred.tsv") -> Path:
        rows = given.items() if isinstance(given, Mapping) else enumerate(given)
        return tsv(name, ["index", "prediction"], *rows)

    return write


@pytest.fixture
def squad(tmp_path: Path) -> Write:
    """Writes questions `{id: answers}` as an official file, an article each."""

    def write(questions: Mapping[str, Sequence[str]], name: str = "dev-v1.1.json") -> Path:
        articles = [
            {
                "title": f"T{number}",
                "paragraphs": [
                    {
                        "context": " ".join(answers),
                        "qas": [
                            {
                                "id": identity,
                                "question": "What?",
                                "answers": [{"text": text, "answer_start": 0} for text in answers],
                            }
                        ],
                    }
                ],
            }
            for number, (identity, answers) in enumerate(questions.items())
        ]
        path = tmp_path / name
        path.write_text(json.dumps({"version": "1.1", "data": articles}), encoding="utf-8")
        return path

    return write
