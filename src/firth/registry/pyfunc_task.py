"""A kept model as an MLflow model, written from this file; the code that it calls is stored beside the weights.

A request is a table with the columns of the model's kind of task: `text`; `first`, `second`; `context`, `question`;
`tokens` (lists of words); or `context`, `endings` (lists of texts). Parameter, where there are next best answers:
`best`, how many of them each row of the answer lists (0: the best one alone). The limits of a request are
`most_rows`, `most_characters` and, of `best`, `most_answers` of the model's configuration.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import mlflow.models
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.pyfunc.model import PythonModel, PythonModelContext


class TaskModel(PythonModel):
    """Labels, numbers, choices, tags or answers."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the kept model's folder."""
        from firth.tasks.kept.folder import load

        self.kept = load(Path(context.artifacts["model"]), os.cpu_count() or 1)

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """One row a record: `prediction`, and by the kind of task `probability`, or `start`, `end` and `score`."""
        from firth.encode.limits import check_request
        from firth.errors import FirthError
        from firth.tasks.kept.predicting import predict, record

        limits = context.model_config or {}
        best, most = (params or {}).get("best", 0), int(limits["most_answers"])
        if best is None or not 0 <= best <= most:
            raise MlflowException.invalid_parameter_value(f"best is {best}; it is from 0 to {most}")
        records = [{str(key): _plain(value) for key, value in row.items()} for row in model_input.to_dict("records")]
        try:
            check_request([_texts(row) for row in records], limits)
            asked = [record(self.kept, row, f"row {number}") for number, row in enumerate(records, 1)]
        except FirthError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from None
        return pd.DataFrame(predict(self.kept, asked, int(best)))


def _texts(row: dict[str, Any]) -> list[str]:
    values = [value if isinstance(value, list) else [value] for value in row.values()]
    return [text for listed in values for text in listed if isinstance(text, str)]


def _plain(value: Any) -> Any:
    """A cell as JSON has it: arrays as lists, a missing value as None."""
    if hasattr(value, "tolist"):
        return value.tolist()
    return None if isinstance(value, float) and value != value else value  # noqa: PLR0124 (NaN is not itself)


mlflow.models.set_model(TaskModel())
