"""A pretrained BERT as an MLflow model, logged from this file; the code that it calls is stored beside the weights.

A request is a table with a column `text`. Parameters: `task` (`fill` or `encode`), `topn` (of `fill`: pieces for each
[MASK]) and `pooling` (of `encode`: `mean` or `cls`). `most_rows` and `most_characters` of the model's configuration are
the limits of a request.
"""

from __future__ import annotations

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
        """One row a text: `text`, and `fillings` with `probabilities` (a list for each [MASK]), or `vector`."""
        from firth.encode.limits import check_request
        from firth.encode.use import encode, fill
        from firth.errors import FirthError

        asked: dict[str, Any] = {"task": "fill", "topn": 5, "pooling": "mean"} | (params or {})
        if asked["task"] not in ("fill", "encode"):
            raise ValueError(f"task is {asked['task']!r}; there are: fill, encode")
        if asked["topn"] < 1:
            raise ValueError(f"topn is {asked['topn']}; at least 1 is needed")
        if asked["pooling"] not in ("mean", "cls"):
            raise ValueError(f"pooling is {asked['pooling']!r}; there are: mean, cls")
        texts = [str(text) for text in model_input["text"]]
        try:
            check_request([[text] for text in texts], context.model_config or {})
        except FirthError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from None
        if asked["task"] == "encode":
            longest = self.bert.model.architecture.positions
            vectors = encode(self.bert, texts, pooling=asked["pooling"], length=longest)
            values = [[float(value) for value in vector] for vector in vectors]
            return pd.DataFrame({"text": texts, "vector": values})
        found = fill(self.bert, texts, top=int(asked["topn"]))
        return pd.DataFrame(
            {
                "text": texts,
                "fillings": [[[piece for piece, _ in mask] for mask in text] for text in found],
                "probabilities": [[[float(value) for _, value in mask] for mask in text] for text in found],
            }
        )


mlflow.models.set_model(BertEncoder())
