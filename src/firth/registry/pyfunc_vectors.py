"""Word vectors as an MLflow model, logged from this file: it is copied beside the weights and needs no Firth to run.

A request is a table with a column `word`. Parameters: `task` (`neighbours` or `encode`) and `topn`. The limits of a
request are `most_rows`, `most_characters` and, of `topn`, `most_answers` of the model's configuration. What cannot be
answered is refused as MLflow's invalid parameter value, of which a server makes status 400 with our sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlflow.models
import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from safetensors.numpy import load_file


class WordVectors(PythonModel):
    """Nearest neighbours and vectors of words."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read `vectors.safetensors` and `vocabulary.tsv` from the model's folder."""
        folder = Path(context.artifacts["vectors"])
        lines = (folder / "vocabulary.tsv").read_text(encoding="utf-8").split("\n")
        self.words = [line.split("\t")[0] for line in lines if line]
        self.matrix = load_file(folder / "vectors.safetensors")["input"]  # (vocabulary, dim)
        if len(self.words) != len(self.matrix):
            raise ValueError(f"{len(self.words)} words but {len(self.matrix)} vectors")
        norms = np.linalg.norm(self.matrix, axis=1, keepdims=True)
        self.unit = self.matrix / np.maximum(norms, np.finfo(np.float32).tiny)
        self.index = {word: row for row, word in enumerate(self.words)}

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """One row a word: `word`, `known`, and `neighbours` with `similarities`, or `vector`; empty if unknown."""
        asked: dict[str, Any] = {"task": "neighbours", "topn": 10} | (params or {})
        limits = context.model_config or {}
        _check(asked, limits)
        words = _words(model_input, limits)
        if asked["task"] == "encode":
            return pd.DataFrame([self._encode(word) for word in words])
        return pd.DataFrame([self._neighbours(word, int(asked["topn"])) for word in words])

    def _neighbours(self, word: str, topn: int) -> dict[str, Any]:
        row = self._row(word)
        if row is None:
            return {"word": word, "known": False, "neighbours": [], "similarities": []}
        cosines = self.unit @ self.unit[row]
        cosines[row] = -np.inf
        best = np.argsort(-cosines, kind="stable")[: min(topn, len(self.words) - 1)]
        return {
            "word": word,
            "known": True,
            "neighbours": [self.words[place] for place in best],
            "similarities": [float(cosines[place]) for place in best],
        }

    def _encode(self, word: str) -> dict[str, Any]:
        row = self._row(word)
        vector = [] if row is None else [float(value) for value in self.matrix[row]]
        return {"word": word, "known": row is not None, "vector": vector}

    def _row(self, word: str) -> int | None:
        return self.index.get(word, self.index.get(word.lower()))


def _check(asked: Mapping[str, Any], limits: Mapping[str, Any]) -> None:
    if asked["task"] not in ("neighbours", "encode"):
        raise MlflowException.invalid_parameter_value(f"task is {asked['task']!r}; there are: neighbours, encode")
    topn, most = asked["topn"], int(limits["most_answers"])
    if topn is None or not 1 <= topn <= most:
        raise MlflowException.invalid_parameter_value(f"topn is {topn}; it is from 1 to {most}")


def _words(rows: pd.DataFrame, limits: Mapping[str, Any]) -> list[str]:
    words = list(rows["word"])
    for number, word in enumerate(words, 1):
        if not isinstance(word, str):
            raise MlflowException.invalid_parameter_value(f"row {number}: there is no word; send a string")
    for what, count in (("rows", len(words)), ("characters", sum(map(len, words)))):
        if count > int(limits.get(f"most_{what}", count)):
            raise MlflowException.invalid_parameter_value(
                f"a request may have {limits[f'most_{what}']} {what}; this one has {count}: send it in parts"
            )
    return words


mlflow.models.set_model(WordVectors())
