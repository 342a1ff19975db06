"""Which training this is: same fingerprint, same bytes out; a checkpoint of another is never resumed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import firth
from firth.canonical import folder_sha256, value_sha256

SHOWN = 5
"""Differences that a message names; of more it gives the number."""

ABSENT = "absent"


@dataclass(frozen=True)
class TrainingIdentity:
    """A training by what its outcome depends on; each kind of training says what that is."""

    stage: str
    params: dict[str, Any]
    inputs: dict[str, str]
    """Digests of what is read, by path."""
    fingerprint: str
    """sha256 over the three above and the digests of the code."""
    code: dict[str, str] = field(default_factory=dict)
    """Digests of the packages whose code makes the outcome, by name below `firth`."""
    details: dict[str, str] = field(default_factory=dict)
    """Digests of parts of the inputs, by what a message calls them."""

    @classmethod
    def with_code(
        cls,
        stage: str,
        params: dict[str, Any],
        inputs: dict[str, str],
        packages: list[str],
        details: Mapping[str, str] | None = None,
    ) -> Self:
        """The identity whose fingerprint is that of the first four.

        Args:
            stage: the stage's name.
            params: what the outcome depends on.
            inputs: digests by path.
            packages: names below `firth`, such as `word2vec`, whose code is part of the fingerprint.
            details: digests of parts of the inputs, to name a difference by.
        """
        source = Path(firth.__file__).parent
        code = {package: folder_sha256(source / package, "**/*.py") for package in packages}
        content = {"stage": stage, "params": params, "inputs": inputs, "code": code}
        return cls(stage, params, inputs, value_sha256(content), code, dict(details or {}))

    @property
    def described(self) -> dict[str, Any]:
        """What a checkpoint says of its training, as JSON."""
        return {
            "stage": self.stage,
            "params": self.params,
            "inputs": self.inputs,
            "code": self.code,
            "details": self.details,
        }

    def differences(self, other: Mapping[str, Any]) -> str:
        """In what the training that `other` describes was another one than this, old -> new; empty where in nothing."""
        own = self.described
        found = [f"stage {other['stage']} -> {self.stage}"] if other["stage"] != self.stage else []
        found += _settings("", other["params"], self.params)
        for name in _unequal(other["details"], self.details):
            found.append(f"another {name}")
        for name in _unequal(other["inputs"], self.inputs):
            found.append(f"other bytes of {name} ({_short(other['inputs'], name)} -> {_short(self.inputs, name)})")
        found += [f"the code of firth.{name}" for name in _unequal(other["code"], own["code"])]
        more = len(found) - SHOWN
        return ", ".join(found[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _settings(prefix: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for name in _unequal(old, new):
        before, after = old.get(name, ABSENT), new.get(name, ABSENT)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from _settings(f"{prefix}{name}.", before, after)
        else:
            yield f"{prefix}{name} {before} -> {after}"


def _unequal(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Keys with different values, in the order of `new`, then those that it lacks."""
    names = [*new, *(name for name in old if name not in new)]
    return [name for name in names if old.get(name, ABSENT) != new.get(name, ABSENT)]


def _short(digests: Mapping[str, str], name: str) -> str:
    return f"{digests[name][:8]}…" if name in digests else ABSENT
