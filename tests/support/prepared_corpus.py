"""A prepared corpus as `prepare` writes it, out of a few sentences."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from firth.shards import CORPUS_SCHEMA, write_shards

Documents = Sequence[Sequence[str]]


def write_corpus(root: Path, train: Documents, heldout: Documents) -> None:
    """Write `root/data/corpus` with two sides of documents, each a list of sentences, in shards of about a document."""
    shards = []
    for side, documents in {"train": train, "heldout": heldout}.items():
        rows = [
            ({"doc_id": f"{side}{i}", "source": "made", "title": "", "sentences": list(sentences)}, 5)
            for i, sentences in enumerate(documents)
        ]
        entries = write_shards(rows, root / "data" / "corpus" / side, CORPUS_SCHEMA, 100)
        shards += [{**entry, "file": f"{side}/{entry['file']}"} for entry in entries]
    manifest = {"shards": shards, "documents": len(train) + len(heldout), "words": 5}
    (root / "data" / "corpus" / "manifest.json").write_text(json.dumps(manifest))
