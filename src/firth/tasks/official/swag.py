"""SWAG (Zellers et al. 2018): accuracy of the chosen endings on the official CSV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from firth.errors import DataError
from firth.packing import ByteCount, local, unpacked
from firth.records import csv_rows
from firth.tasks.official.glue_files import whole_number
from firth.tasks.official.predictions import beside, read_predictions
from firth.tasks.official.results import Result, row_count

OFFICIAL = {"train": 73_546, "dev": 20_006}
HEADER = ("", "video-id", "fold-ind", "startphrase", "sent1", "sent2", "gold-source",
          "ending0", "ending1", "ending2", "ending3", "label")  # fmt: skip
"""Of the official train.csv and val.csv; the first column, without a name, numbers the rows."""

ENDINGS = tuple(name for name in HEADER if name.startswith("ending"))
CONTEXT, START = "sent1", "sent2"
CHOICES = tuple(str(number) for number in range(len(ENDINGS)))


def score_swag(gold: Path, predictions: Path) -> Result:
    """`accuracy` in percent of predictions `index, prediction`, the ending's number from 0.

    Raises:
        DataError: a file is not what it should be, or their rows do not match.
    """
    rows = read_labels(gold)
    joined, by = beside(rows, read_predictions(predictions, CHOICES), str(gold))
    right = sum(label == guess for _, label, guess in joined)
    side = "train" if gold.name.startswith("train") else "dev"
    guesses = {guess for _, _, guess in joined}
    constant = [f"every prediction is {guesses.pop()!r}"] if len(guesses) == 1 and len(joined) > 1 else []
    return Result(
        scorer="swag",
        scores={"accuracy": 100 * right / len(joined)},
        counts={"examples": len(joined), "right": right},
        notes=[f"SWAG {side}: {row_count(len(joined), OFFICIAL[side])}", f"joined by {by}", *constant],
        each=[{"index": index, "expected": label, "predicted": guess} for index, label, guess in joined],
    )


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A row for its texts: where it begins, its own number if it has one, what is read of it."""

    line: int
    index: int | None
    context: str
    endings: list[str]


def read_labels(path: Path) -> list[tuple[int | None, str]]:
    """`(index, label)` of each row; the index is None where the file has no first column without a name.

    Raises:
        DataError: a column is missing, a label is no ending's number, an index is no number or comes twice.
    """
    found: list[tuple[int | None, str]] = []
    for line, index, row in _rows(path, (*ENDINGS, "label")):
        if row["label"] not in CHOICES:
            said = f"column 'label': {row['label'][:40]!r} is not one of {', '.join(CHOICES)}"
            raise DataError(said, path, line)
        found.append((index, row["label"]))
    return found


def read_endings(path: Path) -> list[Unanswered]:
    """The rows of a file of any side, what all endings begin with in front of each; a label is passed over.

    Raises:
        DataError: a column is missing, an index is no number or comes twice.
    """
    found = []
    for line, index, row in _rows(path, (CONTEXT, START, *ENDINGS)):
        start = f"{row[START].strip()} " if row[START].strip() else ""
        found.append(Unanswered(line, index, row[CONTEXT], [f"{start}{row[ending]}" for ending in ENDINGS]))
    return found


def _rows(path: Path, wanted: Sequence[str]) -> list[tuple[int, int | None, dict[str, str]]]:
    """The line, the number and the columns of each row; all `wanted` ones are there."""
    source = local(path)
    found: list[tuple[int, int | None, dict[str, str]]] = []
    first: dict[int, int] = {}
    with unpacked(source, ByteCount()) as stream:
        rows = csv_rows(stream, source.where)
        _, header = next(rows, (1, []))
        _check_header(header, wanted, source.where)
        for line, row in rows:
            index = None
            if not header[0]:
                index = whole_number(row[0])
                if index is None:
                    raise DataError(f"column 1: {row[0][:40]!r} is not a whole number from 0 on", source.where, line)
                if first.setdefault(index, line) != line:
                    raise DataError(f"column 1: {index} stands in line {first[index]}, too", source.where, line)
            found.append((line, index, dict(zip(header, row, strict=True))))
    if not found:
        raise DataError("holds no examples, only a header; was it copied to its end?", source.where)
    return found


def _check_header(header: Sequence[str], wanted: Sequence[str], where: str) -> None:
    if not header:
        raise DataError("empty file; was it copied to its end?", where)
    lacking = [name for name in wanted if name not in header]
    if lacking == ["label"]:
        raise DataError("no column 'label': a test file, without labels", where, 1)
    if lacking:
        swapped = "; are gold and predictions swapped?" if "prediction" in ",".join(header) else ""
        raise DataError(f"no column {lacking[0]!r}; SWAG has {','.join(HEADER)}{swapped}", where, 1)
