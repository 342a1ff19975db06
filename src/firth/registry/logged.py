"""How a trained model is logged to MLflow: what is stored, what serves it, and what that needs.

Word vectors are served by one file that needs no Firth. BERT is stored once, as our model folder, and beside it the
part of Firth that reads and runs it (MLflow's `code_paths`, less than 100 kB): a server needs torch, tokenizers
and safetensors, neither Firth nor `transformers`, and the answers come from the very code that the model was scored
with. A second copy of the weights under the names of `transformers` would double what each version takes;
`firth export` writes one when it is wanted.
"""

from __future__ import annotations

import ast
import shutil
from dataclasses import dataclass
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any

import firth
from firth.tracking.trained import WORD_MODELS, weights_file

HERE = Path(__file__).parent
BERT_SERVING = ("firth.encode.limits", "firth.encode.load", "firth.encode.use")
"""The modules that a served BERT calls; what they import goes with them."""

TRAINING = ("firth.bert.dropout_kernel",)
"""What they import in training only: a server needs no compiler."""

BERT_EXAMPLE = {"text": ["He opened the [MASK] and went in.", "The king and the [MASK] of France."]}
WORDS_EXAMPLE = {"word": ["king", "water"]}


@dataclass(frozen=True)
class Form:
    """How one kind of model is logged. `artifact` is its key in the pyfunc's context."""

    artifact: str
    module: Path
    packages: tuple[str, ...]
    description: str
    with_code: bool
    most_rows: int
    most_characters: int
    """Limits of a request."""
    most_answers: int = 100
    """Limit of `topn` and `best`, the answers to a word, a [MASK] or a row."""

    def requirements(self) -> list[str]:
        """The pinned packages that a server needs."""
        return [f"{package}=={package_version(package).partition('+')[0]}" for package in self.packages]

    def limits(self) -> dict[str, int]:
        """The limits of a request, as the model's configuration holds them."""
        return {
            "most_rows": self.most_rows,
            "most_characters": self.most_characters,
            "most_answers": self.most_answers,
        }

    def signature(self) -> Any:
        """MLflow's signature: columns of a request and of its answer, and the parameters with their defaults."""
        return _bert_signature() if self.with_code else _words_signature()

    def example(self) -> tuple[Any, dict[str, Any]]:
        """MLflow's input example, of two rows: a request that is valid for every task, with all parameters."""
        import pandas as pd

        rows = pd.DataFrame(BERT_EXAMPLE if self.with_code else WORDS_EXAMPLE)
        return rows, {param.name: param.default for param in self.signature().params}


ALIASES = (
    "`@champion`: promoted by the gate, to be used. `@previous`: the champion before, for a rollback. "
    "`@challenger`: the version that the gate decided about last. Why is on each version's page."
)
"""What MLflow's page of a model says."""

WORDS = Form(
    artifact="vectors",
    module=HERE / "pyfunc_vectors.py",
    packages=("mlflow", "numpy", "pandas", "safetensors"),
    description=f"Word vectors. {ALIASES}",
    with_code=False,
    most_rows=1000,
    most_characters=100_000,
)
BERT = Form(
    artifact="model",
    module=HERE / "pyfunc_bert.py",
    packages=("mlflow", "numpy", "pandas", "safetensors", "tokenizers", "torch"),
    description=f"A BERT encoder, pretrained. {ALIASES}",
    with_code=True,
    most_rows=256,
    most_characters=1_000_000,
)


def form_of(model: str) -> Form:
    """How `model` is logged."""
    return WORDS if model in WORD_MODELS else BERT


def weights_in(folder: Path, model: str) -> list[Path]:
    """The weights files of `model` in a downloaded MLflow model; there should be one."""
    return sorted((folder / "artifacts").glob(f"**/{weights_file(model)}"))


def copy_code(to: Path, serving: tuple[str, ...] = BERT_SERVING) -> Path:
    """Copy the modules `serving` of Firth, with all they need, into the folder `to`; the copied package."""
    package = Path(firth.__file__).parent
    waiting, taken = [*serving], set[Path]()
    while waiting:
        module = waiting.pop()
        for path in _files(package, module) if module not in TRAINING else ():
            if path not in taken:
                taken.add(path)
                waiting += _imports(path)
    for path in sorted(taken):
        target = to / "firth" / path.relative_to(package)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return to / "firth"


def _files(package: Path, module: str) -> list[Path]:
    """The file of `module` and those of the packages around it; none where the name is no module."""
    parts = module.split(".")[1:]
    around = [package.joinpath(*parts[:depth], "__init__.py") for depth in range(len(parts) + 1)]
    candidates = [*around, package.joinpath(*parts).with_suffix(".py")] if parts else around
    return [path for path in candidates if path.is_file()]


def _imports(path: Path) -> list[str]:
    """Modules of Firth that the file names in an import, also inside functions; some may be names in a module."""
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "firth":
            found += [node.module, *(f"{node.module}.{name.name}" for name in node.names)]
        if isinstance(node, ast.Import):
            found += [name.name for name in node.names if name.name.split(".")[0] == "firth"]
    return found


def _words_signature() -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
    from mlflow.types.schema import Array

    return ModelSignature(
        inputs=Schema([ColSpec(DataType.string, "word")]),
        outputs=Schema(
            [
                ColSpec(DataType.string, "word"),
                ColSpec(DataType.boolean, "known"),
                ColSpec(Array(DataType.string), "neighbours", required=False),
                ColSpec(Array(DataType.double), "similarities", required=False),
                ColSpec(Array(DataType.double), "vector", required=False),
            ]
        ),
        params=ParamSchema(
            [ParamSpec("task", DataType.string, "neighbours"), ParamSpec("topn", DataType.long, 10)],
        ),
    )


def _bert_signature() -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
    from mlflow.types.schema import Array

    return ModelSignature(
        inputs=Schema([ColSpec(DataType.string, "text")]),
        outputs=Schema(
            [
                ColSpec(DataType.string, "text"),
                ColSpec(DataType.boolean, "cut"),
                ColSpec(Array(Array(DataType.string)), "fillings", required=False),
                ColSpec(Array(Array(DataType.double)), "probabilities", required=False),
                ColSpec(Array(DataType.double), "vector", required=False),
            ]
        ),
        params=ParamSchema(
            [
                ParamSpec("task", DataType.string, "fill"),
                ParamSpec("topn", DataType.long, 5),
                ParamSpec("pooling", DataType.string, "mean"),
            ]
        ),
    )
