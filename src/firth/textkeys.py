"""Keys of texts: which texts are the same, and which share of them a hash chooses.

A choice depends on the text alone, never on its neighbours, its file or its order: a document that is held out or
reserved today still is when the corpus grows.
"""

from __future__ import annotations

import hashlib
import unicodedata


def normalised(text: str) -> str:
    """`text` case-folded, in NFC, with each run of white space as one blank: what "the same text" means here."""
    folded = unicodedata.normalize("NFD", text).casefold()
    return " ".join(unicodedata.normalize("NFC", folded).split())


def text_digest(text: str) -> bytes:
    """sha256 of the normalised text (32 bytes)."""
    return hashlib.sha256(normalised(text).encode("utf-8", "replace")).digest()


def chosen(text: str, share: float, purpose: str) -> bool:
    """Whether `text` falls in the `share` (0 to 1) that is chosen for `purpose`.

    Two purposes choose independently; equal texts (as `normalised` sees them) are chosen alike.
    """
    digest = hashlib.sha256(purpose.encode() + b"\0" + text_digest(text)).digest()
    return int.from_bytes(digest[:8], "big") < share * 2.0**64


def reserved_for_evaluation(text: str, share: float) -> bool:
    """Whether `text` belongs to an evaluation task, which owns `share` of its source's texts.

    `ingest` keeps these texts out of the corpus; the task takes them and no others.
    """
    return chosen(text, share, "evaluation")
