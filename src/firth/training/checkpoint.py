"""Checkpoints that a kill at any moment leaves readable: written aside, checked by digest, renamed into place.

A checkpoint is a folder `step-000000000012`: `arrays.safetensors` and `state.json`, which says which training it
belongs to and names the digests of both.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from firth.canonical import dumps, file_sha256, read_json, value_sha256
from firth.errors import FirthError, IntegrityError
from firth.training.fingerprint import TrainingIdentity

Array = NDArray[Any]

ARRAYS, STATE = "arrays.safetensors", "state.json"


@dataclass(frozen=True)
class Checkpoint:
    """What was saved after `step` steps."""

    step: int
    arrays: dict[str, Array]
    state: dict[str, Any]


class Checkpoints:
    """The checkpoints of one training in `folder`; the newest `keep` stay.

    One process at a time may use a folder (`training.lock`).
    """

    def __init__(self, folder: Path, training: TrainingIdentity, keep: int = 2) -> None:
        self.folder, self.training, self.keep = folder, training, keep
        folder.mkdir(parents=True, exist_ok=True)
        for part in folder.glob(".part-*"):
            shutil.rmtree(part)

    def save(self, step: int, arrays: Mapping[str, Array], state: Mapping[str, Any]) -> Path:
        """Write `arrays` and JSON `state` as the checkpoint of `step`; the folder it is in.

        Raises:
            FirthError: it could not be written, for want of room or otherwise; those before it are as they were.
        """
        part = self.folder / f".part-{step:012d}"
        try:
            return self._save(part, step, arrays, state)
        except (OSError, SafetensorError) as error:
            shutil.rmtree(part, ignore_errors=True)
            whole = self._folders()
            kept = f"from that of step {int(whole[0].name.removeprefix('step-'))}" if whole else "from its beginning"
            raise FirthError(
                f"{self.folder}: the checkpoint of step {step} could not be written ({_reason(error)}); make room, "
                f"then start again: training goes on {kept}"
            ) from error

    def latest(self) -> Checkpoint | None:
        """The newest checkpoint that is whole, or None; damaged ones are named on stderr and passed over.

        Raises:
            IntegrityError: it belongs to another training; the message says in what that differs.
        """
        for folder in self._folders():
            try:
                return self._read(folder)
            except _DamagedError as error:
                print(f"{error}; going back to the checkpoint before", file=sys.stderr, flush=True)
        return None

    def _save(self, part: Path, step: int, arrays: Mapping[str, Array], state: Mapping[str, Any]) -> Path:
        part.mkdir()
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, part / ARRAYS)
        content = {
            "fingerprint": self.training.fingerprint,
            "training": self.training.described,
            "step": step,
            "arrays_sha256": file_sha256(part / ARRAYS),
            "state": dict(state),
        }
        (part / STATE).write_text(dumps({**content, "sha256": value_sha256(content)}), encoding="utf-8")
        for written in (part / ARRAYS, part / STATE, part):
            _flush(written)
        target = self.folder / f"step-{step:012d}"
        if target.exists():  # a damaged one of the same step, which `latest` has passed over
            shutil.rmtree(target)
        part.rename(target)
        _flush(self.folder)
        folders = self._folders()
        place = folders.index(target)  # newer ones are damaged: `latest` has passed over them
        for old in folders[:place] + folders[place + self.keep :]:
            shutil.rmtree(old)
        return target

    def _folders(self) -> list[Path]:
        """Newest first."""
        return sorted((path for path in self.folder.glob("step-*") if path.is_dir()), reverse=True)

    def _read(self, folder: Path) -> Checkpoint:
        try:
            content = _state(folder / STATE)
            digest = content.pop("sha256")
            if value_sha256(content) != digest:
                raise _DamagedError(f"{folder / STATE}: altered")
            if content["fingerprint"] != self.training.fingerprint:
                known = content.get("training")
                raise IntegrityError(
                    f"{folder}: a checkpoint of another training "
                    f"({self.training.differences(known) if known else 'by an earlier version of Firth'}); "
                    "name another folder, or remove this one to start anew"
                )
            with ThreadPoolExecutor(1) as pool:  # checking takes as long as loading
                found = pool.submit(file_sha256, folder / ARRAYS)
                arrays = load_file(folder / ARRAYS)
            if found.result() != content["arrays_sha256"]:
                raise _DamagedError(f"{folder / ARRAYS}: torn or altered")
            return Checkpoint(content["step"], arrays, content["state"])
        except (OSError, KeyError, AttributeError, SafetensorError) as error:
            raise _DamagedError(f"{folder}: not a whole checkpoint ({error})") from None


class _DamagedError(IntegrityError):
    """One checkpoint cannot be used; an older one may."""


def _state(path: Path) -> Any:
    try:
        return read_json(path)
    except IntegrityError as error:
        raise _DamagedError(str(error)) from None


def _reason(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error).removeprefix("Error while ")


def _flush(path: Path) -> None:
    """Let `path`, a file or a folder, reach the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
