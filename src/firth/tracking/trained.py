"""The models that the pipeline trains, and where each of them lies in a project folder."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from firth.canonical import file_sha256, read_json
from firth.choices import ModelName
from firth.config.evaluation import GateModel
from firth.errors import IntegrityError
from firth.lockfile import output_hash, read_lock
from firth.tracking.runs import Training

MODELS: tuple[GateModel, ...] = get_args(GateModel)
WORD_MODELS: tuple[str, ...] = get_args(ModelName)


def stage_of(model: str) -> str:
    """The stage that trains `model`."""
    return f"word2vec@{model}" if model in WORD_MODELS else model


def output_of(model: str) -> str:
    """The folder that this stage writes, relative to the project folder."""
    return f"data/vectors/{model}" if model in WORD_MODELS else f"data/models/{model}"


def weights_file(model: str) -> str:
    """The file in that folder whose sha256 tells one trained model from another."""
    return "vectors.safetensors" if model in WORD_MODELS else "model.safetensors"


def weights_sha256(root: Path, model: str) -> str | None:
    """sha256 of the weights that lie in `root`; None where `model` is not trained."""
    path = root / output_of(model) / weights_file(model)
    return file_sha256(path) if path.is_file() else None


def is_trained(root: Path, model: str) -> bool:
    """Whether the stage of `model` has written its record."""
    return (root / output_of(model) / "training.json").is_file()


def training_of(root: Path, model: str) -> Training:
    """The training behind the files of `model`, from its record and `dvc.lock`."""
    path = root / output_of(model) / "training.json"
    tree = read_json(path)
    missing = {"stage", "fingerprint", "params"} - set(tree)
    if missing:
        raise IntegrityError(f"{path}: lacks {', '.join(sorted(missing))}")
    lock = read_lock(root)
    reads = lock[tree["stage"]].data if tree["stage"] in lock else []
    inputs = {name: output_hash(lock, name) or "unknown" for name in reads}
    others = {name: digest for name, digest in tree.get("inputs", {}).items() if not name.startswith("data/")}
    return Training(tree["stage"], tree["fingerprint"], tree["params"], inputs | others, root)
