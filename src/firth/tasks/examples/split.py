"""Which examples are trained on and which are scored: by hashes of what they hold, never by their place in a file."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable

from firth.canonical import dumps
from firth.choices import Kind
from firth.tasks.examples.files import Example, texts_of
from firth.tasks.examples.found import Found, LeftOut
from firth.textkeys import reserved_for_evaluation, text_digest

IN_DEV = "the same text is on the dev side"


def by_group(found: Iterable[Found], dev_share: float) -> tuple[list[Example], list[Example]]:
    """`(train, dev)`: a group is on the dev side where its hash reserves it for evaluation.

    `ingest` asks the same question of the texts of a corpus, so that a passage is either trained on or scored.
    """
    sides: tuple[list[Example], list[Example]] = ([], [])
    for item in found:
        sides[reserved_for_evaluation(item.group, dev_share)].append(item.example)
    return sides


def without_dev_texts(train: list[Example], dev: list[Example], kind: Kind, left_out: LeftOut) -> list[Example]:
    """`train` without the examples whose texts, all together, are those of a dev example; these are counted."""
    known = {_key(example, kind) for example in dev}
    kept = []
    for example in train:
        if _key(example, kind) in known:
            left_out.add(IN_DEV, " ".join(texts_of(example, kind)))
        else:
            kept.append(example)
    return kept


def repeated(train: list[Example], dev: list[Example], kind: Kind) -> int:
    """How many dev examples have the texts, all together, of a train example."""
    known = {_key(example, kind) for example in train}
    return sum(_key(example, kind) in known for example in dev)


def subset(examples: Iterable[Example], most: int, seed: int, name: str) -> list[Example]:
    """At most `most` examples in an order that their content and `seed` fix.

    Each has an `id`: that of its file, or else one made of its content. A larger subset of the same seed starts with
    the smaller one.
    """
    chosen = sorted(examples, key=lambda example: _digest(example, f"subset {seed}"))[:most]
    repeats: Counter[str] = Counter()
    named = []
    for example in chosen:
        identity = f"{name}-{_digest(example, 'id')[:12]}"
        repeats[identity] += 1
        again = f"-{repeats[identity]}" if repeats[identity] > 1 else ""
        named.append({"id": f"{identity}{again}", **example})
    return named


def _digest(example: Example, purpose: str) -> str:
    return hashlib.sha256(f"{purpose}\0{dumps(example)}".encode()).hexdigest()


def _key(example: Example, kind: Kind) -> bytes:
    return text_digest("\n".join(texts_of(example, kind)))
