"""Models as folders that `mlflow models serve` serves, without a registry."""

from __future__ import annotations

import tempfile
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firth.bert.folder import whole_folder
from firth.registry.logged import BERT, BERT_SERVING, HERE, WORDS, Form, copy_code
from firth.registry.versions import pyfunc
from firth.tasks.kept.folder import is_kept, load
from firth.tracking.store import quiet
from firth.word2vec.matrix_files import FILE as VECTORS

if TYPE_CHECKING:
    from firth.tasks.kept.folder import Kept

TASK = Form(
    artifact="model",
    module=HERE / "pyfunc_task.py",
    packages=(*BERT.packages, "pydantic", "rich", "ruamel-yaml"),
    description="A model of a task: an encoder and what was learned on it or with it.",
    with_code=True,
    most_rows=BERT.most_rows,
    most_characters=BERT.most_characters,
)
SERVING = ("firth.encode.limits", "firth.tasks.kept.folder", "firth.tasks.kept.predicting")
EXAMPLES: dict[str, dict[str, Any]] = {
    "text": {"text": "It was a pleasure from beginning to end."},
    "pair": {"first": "He opened the door.", "second": "The door was opened."},
    "number": {"first": "He opened the door.", "second": "The door was opened."},
    "choice": {"context": "He opened the door and", "endings": ["went in.", "ate the roof."]},
    "tagging": {"tokens": ["Anna", "lives", "in", "Oslo", "."]},
    "span": {"context": "Anna lives in Oslo.", "question": "Where does Anna live?"},
}
"""A record of each kind of task, to show what a request looks like."""


def export_mlflow(folder: Path, to: Path, most_rows: int | None = None, most_characters: int | None = None) -> str:
    """Write the model in `folder` (kept, a BERT, or word vectors) to `to`; what it is, in words.

    `to` appears complete or not at all. The limits are those of a request; None: those of the kind of model.

    Raises:
        FirthError: `to` is not empty, or cannot be written.
        IntegrityError: the model's files are not whole.
    """
    form = TASK if is_kept(folder) else WORDS if (folder / VECTORS).is_file() else BERT
    form = replace(form, most_rows=most_rows or form.most_rows, most_characters=most_characters or form.most_characters)
    if form.module == TASK.module:
        kept = load(folder)
        _write(folder, to, form, SERVING, _signature(kept), _example(kept))
        what = f"{kept.kind} task {kept.said['task']['task']}"
    else:
        _write(folder, to, form, BERT_SERVING, form.signature(), form.example())
        what = "a BERT: fill and encode" if form.with_code else "word vectors: neighbours and encode"
    return f"{what}; at most {form.most_rows:,} rows a request"


def _write(folder: Path, to: Path, form: Form, serving: tuple[str, ...], signature: Any, example: Any) -> None:
    save_model = pyfunc().save_model
    with (
        tempfile.TemporaryDirectory() as code,
        whole_folder(to, replaced=lambda _: False) as part,
        warnings.catch_warnings(),
        quiet(),
    ):
        # With pandas 3, writing an example and reading it back warns inside MLflow.
        warnings.simplefilter("ignore")
        save_model(
            path=str(part),
            python_model=str(form.module),
            artifacts={form.artifact: str(folder)},
            code_paths=[str(copy_code(Path(code), serving))] if form.with_code else None,
            signature=signature,
            input_example=example,
            model_config=form.limits(),
            pip_requirements=form.requirements(),
        )


def _example(kept: Kept) -> Any:
    import pandas as pd

    return pd.DataFrame([EXAMPLES[kept.kind]])


def _signature(kept: Kept) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
    from mlflow.types.schema import Array, Object, Property

    text, number = DataType.string, DataType.double
    lists = ("tokens", "endings")
    answers: dict[str, dict[str, Any]] = {
        "text": {"prediction": text, "probability": number},
        "pair": {"prediction": text, "probability": number},
        "choice": {"prediction": DataType.long, "probability": number},
        "number": {"prediction": number},
        "tagging": {"prediction": Array(text)},
        "span": {"prediction": text, "start": DataType.long, "end": DataType.long, "score": number},
    }
    answer = answers[kept.kind]
    outputs: list[Any] = [ColSpec(kind, name, required=False) for name, kind in answer.items()]
    if kept.usage.ranked:
        listed = Object([Property(name, kind) for name, kind in answer.items()])
        outputs.append(ColSpec(Array(listed), "best", required=False))
    inputs: list[Any] = [ColSpec(Array(text) if name in lists else text, name) for name in kept.usage.fields]
    best: Any = ParamSchema([ParamSpec("best", DataType.long, 0)]) if kept.usage.ranked else None
    return ModelSignature(inputs=Schema(inputs), outputs=Schema(outputs), params=best)
