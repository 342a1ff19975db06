"""CoNLL-2003's scores of named entities as conlleval counts them (Tjong Kim Sang and De Meulder 2003).

A phrase is right with its type and both ends. Tags are O, B-TYPE or I-TYPE: IOB1, IOB2, and sequences that are neither,
whose phrases are those of `firth.tasks.measures.entities`. Every line is a word, `-DOCSTART-` lines too.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firth.errors import DataError
from firth.tasks.measures.entities import entities
from firth.tasks.official.results import Result, lines

BOUNDARY = "-X-"
"""As the first field of a line: parts sentences as a blank line does."""

DOCUMENT = "-DOCSTART-"
_TAG = re.compile(r"O|[BI]-.+")


@dataclass(frozen=True, slots=True)
class Word:
    """One line: its first field (None where it is a tag), and its last fields, the tags."""

    line: int
    text: str | None
    tags: tuple[str, ...]


Sentences = list[list[Word]]


def score_conll(predictions: Path, gold: Path | None = None) -> Result:
    """`precision`, `recall`, `f1` of phrases and `accuracy` of words' tags, percent; `types` holds the first three.

    Args:
        predictions: lines whose last two fields are gold and predicted tag; with `gold`, only the last one is read.
        gold: lines whose last field is the gold tag.

    Raises:
        DataError: a line with other fields than the first, a tag outside the scheme, words that differ.
    """
    notes: list[str] = []
    if gold is None:
        both = _read(predictions, 2)
        expected = [[word.tags[0] for word in sentence] for sentence in both]
        predicted = [[word.tags[1] for word in sentence] for sentence in both]
        read = both
    else:
        right, guessed, notes = _beside(gold, predictions)
        expected = [[word.tags[0] for word in sentence] for sentence in right]
        predicted = [[word.tags[0] for word in sentence] for sentence in guessed]
        read = right
    documents = _documents(read)
    sentences = sum(any(word.text != DOCUMENT for word in sentence) for sentence in read)
    return _score(expected, predicted, {"sentences": sentences, "documents": documents}, notes)


def _score(expected: list[list[str]], predicted: list[list[str]], counts: dict[str, int], notes: list[str]) -> Result:
    right: Counter[str] = Counter()
    found: Counter[str] = Counter()
    wanted: Counter[str] = Counter()
    each: list[dict[str, Any]] = []
    for number, (gold, guess) in enumerate(zip(expected, predicted, strict=True)):
        there, said = entities(gold), entities(guess)
        wanted.update(kind for kind, _, _ in there)
        found.update(kind for kind, _, _ in said)
        right.update(kind for kind, _, _ in there & said)
        each.append({"sentence": number, "phrases": len(there), "found": len(said), "right": len(there & said)})
    words = sum(map(len, expected))
    same = sum(
        a == b for gold, guess in zip(expected, predicted, strict=True) for a, b in zip(gold, guess, strict=True)
    )
    if counts["documents"]:
        notes = [*notes, f"{counts['documents']:,} {DOCUMENT} lines are counted as words, as conlleval does"]
    if wanted and found and not wanted.keys() & found.keys():
        kinds = f"{', '.join(sorted(wanted))} / {', '.join(sorted(found))}"
        notes = [*notes, f"gold and predicted phrases have no type in common ({kinds}): are these the right columns?"]
    total = {"phrases": wanted.total(), "found": found.total(), "right": right.total()}
    return Result(
        scorer="conll2003",
        scores={**_rates(**total), "accuracy": 100 * same / words},
        counts={**counts, "words": words, **total},
        notes=notes,
        types={
            kind: {**_rates(wanted[kind], found[kind], right[kind]), "phrases": wanted[kind], "found": found[kind],
                   "right": right[kind]}
            for kind in sorted(wanted.keys() | found.keys())
        },
        each=each,
    )  # fmt: skip


def _rates(phrases: int, found: int, right: int) -> dict[str, float]:
    precision = 100 * right / found if found else 0.0
    recall = 100 * right / phrases if phrases else 0.0
    both = precision + recall
    return {"precision": precision, "recall": recall, "f1": 2 * precision * recall / both if both else 0.0}


def _beside(gold: Path, predictions: Path) -> tuple[Sentences, Sentences, list[str]]:
    """Both files' sentences, which must have the same words; document lines count where both files have them."""
    right, guessed = _read(gold, 1), _read(predictions, 1)
    notes = []
    if bool(_documents(right)) != bool(_documents(guessed)):
        right, guessed = _without_documents(right), _without_documents(guessed)
        notes.append(f"without {DOCUMENT} lines, which only one of the files has")
    for one, other in zip(right, guessed, strict=False):
        for a, b in zip(one, other, strict=False):
            if a.text is not None and b.text is not None and a.text != b.text:
                said = f"the word is {b.text[:40]!r}, but {a.text[:40]!r} in {gold}, line {a.line}"
                raise DataError(said, predictions, b.line)
        if len(one) != len(other):
            said = f"a sentence of {len(other)} words, but of {len(one)} in {gold}, line {one[0].line}"
            raise DataError(said, predictions, other[0].line)
    if len(right) != len(guessed):
        raise DataError(f"{len(guessed):,} sentences, but {len(right):,} in {gold}", predictions)
    return right, guessed, notes


def _read(path: Path, tags: int) -> Sentences:
    """The sentences of a file; of each line the last `tags` fields are tags."""
    sentences: Sentences = [[]]
    width = 0
    for line, text in lines(path):
        fields = text.split("\t") if "\t" in text else text.split()
        if not text.strip() or fields[0] == BOUNDARY:
            if sentences[-1]:
                sentences.append([])
            continue
        width = width or len(fields)
        if len(fields) != width:
            raise DataError(f"{len(fields)} fields, but the first word has {width}: {text[:80]!r}", path, line)
        if len(fields) < tags:
            raise DataError(
                "1 field; expected a word, its gold tag and its predicted tag, or also a gold file", path, line
            )
        sentences[-1].append(_word(fields, tags, str(path), line))
    if not sentences[-1]:
        del sentences[-1]
    if not sentences:
        raise DataError("holds no words", path)
    return sentences


def _word(fields: list[str], tags: int, where: str, line: int) -> Word:
    for place in range(len(fields) - tags, len(fields)):
        if not _TAG.fullmatch(fields[place]):
            which = "" if tags == 1 else "; without a gold file the last two columns are gold and predicted tag"
            said = f"column {place + 1}: {fields[place][:40]!r} is no tag, which is O, B-TYPE or I-TYPE{which}"
            raise DataError(said, where, line)
    return Word(line, fields[0] if len(fields) > tags else None, tuple(fields[-tags:]))


def _documents(sentences: Sentences) -> int:
    return sum(word.text == DOCUMENT for sentence in sentences for word in sentence)


def _without_documents(sentences: Sentences) -> Sentences:
    kept = [[word for word in sentence if word.text != DOCUMENT] for sentence in sentences]
    return [sentence for sentence in kept if sentence]
