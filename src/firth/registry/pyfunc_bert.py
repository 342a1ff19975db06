"""A pretrained BERT as an MLflow model, logged from this file; the code that it calls is stored beside the weights.

A request is a table with a column `text`. Parameters: `task` (`fill` or `encode`), `topn` (of `fill`: pieces for each
[MASK]) and `pooling` (of `encode`: `mean` or `cls`). The limits of a request are `most_rows`, `most_characters` and, of
`topn`, `most_answers` of the model's configuration. What cannot be answered is refused as MLflow's invalid parameter
value, of which a server makes status 400 with our sentence.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mlflow.models
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.pyfunc.model import PythonModel, PythonModelContext


class BertEncoder(PythonModel):
    """Pieces for masked places, and vectors of texts."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the model folder."""
        from firth.encode.load import load_model

        self.bert = load_model(Path(context.artifacts["model"]))

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """One row a text: `text`, `cut`, and `fillings` with `probabilities` (a list for each [MASK]), or `vector`.

        `cut`: the text has more tokens than the model reads; what is behind them was not read.
        """
        from firth.encode.limits import check_request
        from firth.encode.use import encode, fill
        from firth.errors import FirthError

        limits = context.model_config or {}
        asked: dict[str, Any] = {"task": "fill", "topn": 5, "pooling": "mean"} | (params or {})
        _check(asked, limits)
        texts = _texts(model_input)
        try:
            check_request([[text] for text in texts], limits)
            answer: dict[str, Any] = {"text": texts, "cut": self._cut(texts, asked["task"])}
            if asked["task"] == "encode":
                longest = self.bert.model.architecture.positions
                vectors = encode(self.bert, texts, pooling=asked["pooling"], length=longest)
                return pd.DataFrame(answer | {"vector": [[float(value) for value in vector] for vector in vectors]})
            found = fill(self.bert, texts, top=int(asked["topn"]))
        except FirthError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from None
        answer["fillings"] = [[[piece for piece, _ in mask] for mask in text] for text in found]
        answer["probabilities"] = [[[float(value) for _, value in mask] for mask in text] for text in found]
        return pd.DataFrame(answer)

    def _cut(self, texts: Sequence[str], task: str) -> list[bool]:
        """Which texts are longer than what the model reads; to `fill`, each must have a [MASK] within that."""
        tokenizer, longest = self.bert.tokenizer, self.bert.model.architecture.positions
        cut = []
        for number, text in enumerate(texts, 1):
            ids = tokenizer.encode(text, length=sys.maxsize, mask_token=task == "fill").ids
            if task == "fill" and tokenizer.mask not in ids[: longest - 1]:
                raise MlflowException.invalid_parameter_value(
                    f"row {number}: no [MASK] in the first {longest} tokens, which are all that is read; "
                    "write [MASK] in place of the word that is asked for"
                )
            cut.append(len(ids) > longest)
        return cut


def _check(asked: Mapping[str, Any], limits: Mapping[str, Any]) -> None:
    for name, known in (("task", ("fill", "encode")), ("pooling", ("mean", "cls"))):
        if asked[name] not in known:
            raise MlflowException.invalid_parameter_value(f"{name} is {asked[name]!r}; there are: {', '.join(known)}")
    topn, most = asked["topn"], int(limits["most_answers"])
    if topn is None or not 1 <= topn <= most:
        raise MlflowException.invalid_parameter_value(f"topn is {topn}; it is from 1 to {most}")


def _texts(rows: pd.DataFrame) -> list[str]:
    texts = list(rows["text"])
    for number, text in enumerate(texts, 1):
        if not isinstance(text, str):
            raise MlflowException.invalid_parameter_value(f"row {number}: there is no text; send a string")
    return texts


mlflow.models.set_model(BertEncoder())
