"""The fields of the flow's form as overrides of `params.yaml`.

Prefect's form has no good widget for "a number or nothing": 0 (or an empty text) stands for "as in params.yaml". A
lower bound of 0 is in the form's schema, which server and form both enforce, so that -1 is refused before a run exists.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

AS_IS = "as in params.yaml"

Preset = Annotated[
    Literal["as in params.yaml", "demo"],
    Field(description="Start from params.yaml as it is, or from a preset."),
]


def count(position: int, title: str, most: int, description: str) -> Any:
    """A field for a whole number up to `most`; 0 leaves the parameter alone."""
    return Field(
        title=title, ge=0, le=most, description=f"{description} 0: {AS_IS}.", json_schema_extra={"position": position}
    )


def rate(position: int, title: str, most: float, description: str) -> Any:
    """A field for a number up to `most`; 0 leaves the parameter alone."""
    return Field(
        title=title, ge=0, le=most, description=f"{description} 0: {AS_IS}.", json_schema_extra={"position": position}
    )


def overrides(fields: dict[str, float], more: Sequence[str]) -> list[str]:
    """`key=value` for each field that was filled in, then the free ones, so that these win."""
    return [f"{key}={value!r}" for key, value in fields.items() if value] + [text for text in more if text.strip()]


def preset_of(choice: str) -> str | None:
    """The preset's name; None where params.yaml is to be taken as it is."""
    return None if choice == AS_IS else choice
