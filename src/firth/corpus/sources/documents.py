"""A document as it comes from a source."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Document:
    """One text. `locator` says where it came from, such as `news.csv:17` (a line) or `wiki.xml:Albedo` (a title)."""

    title: str
    text: str
    locator: str
