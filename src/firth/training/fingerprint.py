"""Which training this is: same fingerprint, same bytes out; a checkpoint of another is never resumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import firth
from firth.canonical import folder_sha256, value_sha256


def fingerprint(stage: str, params: Mapping[str, Any], inputs: Mapping[str, str], packages: list[str]) -> str:
    """sha256 over the stage's name, its parameters, the digests of its inputs and of the code in `packages`.

    `packages` are names below `firth`, such as `word2vec`.
    """
    source = Path(firth.__file__).parent
    code = {package: folder_sha256(source / package, "**/*.py") for package in packages}
    return value_sha256({"stage": stage, "params": dict(params), "inputs": dict(inputs), "code": code})


@dataclass(frozen=True)
class TrainingIdentity:
    """A training by what its outcome depends on; each kind of training says what that is."""

    stage: str
    params: dict[str, Any]
    inputs: dict[str, str]
    fingerprint: str

    @classmethod
    def with_code(cls, stage: str, params: dict[str, Any], inputs: dict[str, str], packages: list[str]) -> Self:
        """The identity whose fingerprint is that of all four."""
        return cls(stage, params, inputs, fingerprint(stage, params, inputs, packages))
