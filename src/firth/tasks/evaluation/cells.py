"""What single trainings came to, kept so that an evaluation that was broken off goes on where it was.

A cell is one training: of one encoder on one task's examples, with one setting and one seed, by this code. What is kept
are the outputs for the dev side, from which everything else follows; results are the same bytes with and without.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.numpy import load, save
from torch import nn

import firth
from firth.canonical import folder_sha256, read_json, value_sha256, write_atomic, write_json
from firth.errors import IntegrityError
from firth.tasks.learning.stopping import Learned

if TYPE_CHECKING:
    from firth.tasks.encoders.contextual import BertEncoder
    from firth.tasks.encoders.static import StaticEncoder

MOST_BYTES = 2 * 2**30
"""What all cells together may take; the ones that were not used for longest go first."""
CODE = [
    "bert", "encode", "tasks/encoders", "tasks/evaluation", "tasks/learning", "tasks/usages", "tokens", "training",
    "vectors", "wordpiece",
]  # fmt: skip
OUTPUTS, ABOUT = "dev.safetensors", "cell.json"


class Cells:
    """The kept trainings in `folder`, each in a folder of its own that is named by what it depends on."""

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES) -> None:
        self._folder, self._most = folder, most_bytes

    def learned(self, depends_on: Mapping[str, Any], learn: Callable[[], Learned], title: str = "training") -> Learned:
        """What was kept of the training that `depends_on` describes; else what `learn` gives, which is kept then.

        A cell that is torn or was altered is learned again. Where nothing can be written, nothing is kept.
        """
        place = self._folder / value_sha256({"of": depends_on, "machine": _machine(), "code": _code()})
        found = _read(place)
        if found is not None:
            with suppress(OSError):  # another evaluation may be removing it, or the folder is read-only
                os.utime(place)
            print(f"{title}: kept from before", file=sys.stderr, flush=True)
            return found
        found = learn()
        try:
            self._keep(place, depends_on, found)
        except OSError as error:  # what cannot be kept can still be used
            print(f"{title}: not kept, it will be made again next time: {error}", file=sys.stderr, flush=True)
        return found

    def _keep(self, place: Path, depends_on: Mapping[str, Any], found: Learned) -> None:
        epoch = np.array([] if found.epoch is None else [found.epoch], dtype=np.int64)
        content = save({"logits": np.ascontiguousarray(found.logits), "epoch": epoch})
        write_atomic(place / OUTPUTS, content)
        write_json(place / ABOUT, {"of": depends_on, "sha256": hashlib.sha256(content).hexdigest()})
        self._prune(place)

    def _prune(self, newest: Path) -> None:
        """Remove the cells that were not used for longest, but not the `newest`."""
        ages = []
        for place in self._folder.iterdir():
            try:
                size = sum(path.stat().st_size for path in place.iterdir())
                ages.append((place.stat().st_mtime, place, size))
            except FileNotFoundError:  # another evaluation removes it at this moment
                continue
        total = sum(size for _, _, size in ages)
        for _, place, size in sorted(ages):
            if total <= self._most:
                break
            if place != newest:
                shutil.rmtree(place, ignore_errors=True)
                total -= size


def bert_identity(encoder: BertEncoder, head: nn.Linear | None = None) -> dict[str, Any]:
    """What a training that begins with `encoder` depends on: its weights themselves, wherever they came from.

    With it those of the `head`, where that does not begin as a new one, and what the encoder is computed with.
    """
    device = encoder.device
    return {
        **({} if head is None else {"head": weights_sha256(head)}),
        "weights": weights_sha256(encoder.bert.model.encoder),
        "architecture": asdict(encoder.bert.model.architecture),
        "tokenizer": encoder.bert.tokenizer.sha256,
        "pooling": encoder.pooling,
        "layers": encoder.layers,
        "computed_by": "cpu" if device.kind == "cpu" else torch.cuda.get_device_name(),
        "precision": device.precision,
    }


def weights_sha256(module: nn.Module) -> str:
    """sha256 over the names, shapes and values of a module's weights."""
    digest = hashlib.sha256()
    for name, weights in sorted(module.state_dict().items()):
        digest.update(f"{name} {tuple(weights.shape)} {weights.dtype}\n".encode())
        digest.update(weights.detach().cpu().contiguous().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def vectors_identity(encoder: StaticEncoder) -> dict[str, Any]:
    """As `bert_identity`, of a training that begins with word vectors."""
    weights = hashlib.sha256(np.ascontiguousarray(encoder.matrix).data)
    return {"weights": weights.hexdigest(), "words": encoder.vocabulary.sha256}


def _read(place: Path) -> Learned | None:
    """The cell in `place`; None where there is none that is whole."""
    try:
        about = read_json(place / ABOUT)
        content = (place / OUTPUTS).read_bytes()
    except (IntegrityError, OSError):
        return None
    if not isinstance(about, dict) or hashlib.sha256(content).hexdigest() != about.get("sha256"):
        return None
    kept = load(content)
    return Learned(kept["logits"], next(iter(kept["epoch"].tolist()), None))


def _machine() -> dict[str, str]:
    """What last digits depend on besides the number of threads."""
    return {"torch": torch.__version__, "cpu": torch.backends.cpu.get_cpu_capability()}


@cache
def _code() -> dict[str, str]:
    source = Path(firth.__file__).parent
    return {package: folder_sha256(source / package, "**/*.py") for package in CODE}
