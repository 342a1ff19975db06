"""How much a served model answers at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from firth.errors import FirthError


def check_request(rows: Sequence[Iterable[str]], limits: Mapping[str, Any]) -> None:
    """Refuse a request of more texts than the limits allow; a limit that is not there is none.

    Args:
        rows: the texts of each row.
        limits: `most_rows`, and `most_characters` of all texts together.

    Raises:
        FirthError: there are more.
    """
    found = {"rows": len(rows), "characters": sum(len(text) for row in rows for text in row)}
    for what, count in found.items():
        most = limits.get(f"most_{what}")
        if most is not None and count > int(most):
            raise FirthError(f"a request may have {most} {what}; this one has {count}: send it in parts")
