"""Training a finished model again, from what its folder says: the same settings, and the rates that the clock gave."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from firth.bert.folder import WEIGHTS
from firth.bert.pretraining.identity import Identity
from firth.bert.pretraining.outputs import RATES, SCHEDULE, TRAINING
from firth.canonical import file_sha256, read_json
from firth.config.bert import Bert
from firth.errors import DataError, IntegrityError
from firth.wordpiece.store import TokenStore


@dataclass(frozen=True)
class Recorded:
    """A training as the folder of its model tells it."""

    folder: Path
    settings: Bert
    inputs: dict[str, str]
    fingerprint: str
    weights: str
    """sha256 of the weights that came out."""
    rates: NDArray[np.float64] | None
    """The rate of each step, of a training by the clock; None: the settings say it."""

    @classmethod
    def of(cls, folder: Path) -> Recorded:
        """Read `folder`.

        Raises:
            DataError: it holds no model that was pretrained here.
            IntegrityError: the record is damaged, or of settings that this version does not know.
        """
        path = folder / TRAINING
        if not path.is_file():
            raise DataError(f"no model that can be trained again: it has no {TRAINING}", folder)
        training: Any = read_json(path)
        try:
            settings = Bert.model_validate(training["params"])
            inputs, fingerprint = dict(training["inputs"]), str(training["fingerprint"])
        except (KeyError, TypeError, ValueError) as error:
            what = error.errors()[0]["msg"] if isinstance(error, ValidationError) else repr(error)
            raise IntegrityError(
                f"{path}: not the record of a training that this version can do again ({what})"
            ) from None
        rates = _read_rates(folder / SCHEDULE, int(training["steps"])) if settings.minutes else None
        return cls(folder, settings, inputs, fingerprint, file_sha256(folder / WEIGHTS), rates)

    def check(self, store: TokenStore, init_digest: str) -> None:
        """See that it is trained again on what it was trained on; changed code is only told of, on stderr.

        Raises:
            IntegrityError: the training read another token store, or went on from another model.
        """
        for what, then, now in (
            ("the token store", self.inputs.get("data/tokens/pieces", ""), store.digest),
            ("the model to go on from (--init)", self.inputs.get("bert.init", ""), init_digest),
        ):
            if then != now:
                raise IntegrityError(
                    f"{self.folder} cannot be trained again with this: {what} was {_named(then)}, here it is "
                    f"{_named(now)}"
                )
        replayed = self.rates if "bert.replay" in self.inputs else None
        if Identity.of(store, self.settings, init_digest, replayed).fingerprint != self.fingerprint:
            print(
                f"{self.folder} was trained by another version of this code: other weights may come out",
                file=sys.stderr,
                flush=True,
            )

    def compared(self, folder: Path) -> str:
        """A sentence: whether the model in `folder` has the very weights that were recorded."""
        if file_sha256(folder / WEIGHTS) == self.weights:
            return f"its weights are those of {self.folder}, byte for byte"
        return f"its weights are not those of {self.folder}: a GPU, another kind of CPU or another torch does that"


def _named(digest: str) -> str:
    return f"{digest[:12]}…" if digest else "none"


def _read_rates(path: Path, steps: int) -> NDArray[np.float64]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        rates = load_file(path)[RATES]
    except (OSError, KeyError, SafetensorError) as error:
        raise IntegrityError(f"{path}: not the schedule of a training ({error})") from None
    if rates.dtype != np.float64 or rates.shape != (steps,):
        raise IntegrityError(f"{path}: {rates.dtype} rates of shape {rates.shape}, but the training had {steps} steps")
    return rates
