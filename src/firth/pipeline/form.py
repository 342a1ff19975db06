"""The fields of the flow's form as overrides of `params.yaml`.

Prefect's form has no good widget for "a number or nothing": 0 stands for "as in params.yaml". The lower bound of 0 is
in the form's schema, which form and server both enforce, so that -1 is refused before a run exists.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field

AS_IS = "as in params.yaml"

Preset = Literal["as in params.yaml", "demo", "mini", "small", "base", "large"]
Size = Literal["as in params.yaml", "tiny", "mini", "small", "medium", "base", "large"]
Epochs = Annotated[int, Field(ge=0, le=1000)]
Steps = Annotated[int, Field(ge=0, le=10_000_000)]
LearningRate = Annotated[float, Field(ge=0, le=1)]


def overrides(fields: Mapping[str, float | str], more: Sequence[str]) -> list[str]:
    """`key=value` for each field that was filled in, then the free ones, so that these win."""
    filled = [f"{key}={value!r}" for key, value in fields.items() if value and value != AS_IS]
    return filled + [text for text in more if text.strip()]


def preset_of(choice: str) -> str | None:
    """The preset's name; None where params.yaml is to be taken as it is."""
    return None if choice == AS_IS else choice
