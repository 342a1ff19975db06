"""The fields of the flows' forms as overrides of `params.yaml`.

Prefect's form has no good widget for "a number or nothing": 0 stands for "as in params.yaml". The lower bound of 0 is
in the form's schema, which form and server both enforce, so that -1 is refused before a run exists.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from firth.config.load import load_params
from firth.errors import ConfigError

AS_IS = "as in params.yaml"

Preset = Literal["as in params.yaml", "demo", "mini", "small", "base", "large"]
Size = Literal["as in params.yaml", "tiny", "mini", "small", "medium", "base", "large"]
Protocol = Literal["as in params.yaml", "sane", "paper"]
Epochs = Annotated[int, Field(ge=0, le=1000)]
Steps = Annotated[int, Field(ge=0, le=10_000_000)]
LearningRate = Annotated[float, Field(ge=0, le=1)]


MOST_EXAMPLES = 1_000_000


def overrides(fields: Mapping[str, float | str | Sequence[int | str]], more: Sequence[str]) -> list[str]:
    """`key=value` for each field that was filled in, then the free ones, so that these win."""
    filled = [f"{key}={value!r}" for key, value in fields.items() if value and value != AS_IS]
    return filled + [text for text in more if text.strip()]


def preset_of(choice: str) -> str | None:
    """The preset's name; None where params.yaml is to be taken as it is."""
    return None if choice == AS_IS else choice


def tasks_of(root: Path, asked: Sequence[str]) -> list[str]:
    """The tasks that are asked for, or all of params.yaml where none is.

    Raises:
        ConfigError: one that is not there.
    """
    there = load_params(root / "params.yaml").tasks
    if unknown := [name for name in asked if name not in there]:
        raise ConfigError(f"tasks: {unknown[0]} is none of this project's; there are {', '.join(there) or 'none'}")
    return list(dict.fromkeys(asked)) or list(there)
