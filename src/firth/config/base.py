"""What all sections share: frozen, no unknown keys, no silent coercion."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A frozen group of parameters. Unknown keys and wrong types are refused, not ignored or converted."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


Share = Annotated[float, Field(ge=0.0, le=1.0)]
"""A part of a whole, 0 to 1."""

Seed = Annotated[int, Field(ge=0, lt=2**32)]
"""Same seed, same bytes out."""
