"""SWAG (Zellers et al. 2018): accuracy of the chosen endings on the official CSV."""

from __future__ import annotations

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


def read_labels(path: Path) -> list[tuple[int | None, str]]:
    """`(index, label)` of each row; the index is None where the file has no first column without a name.

    Raises:
        DataError: a column is missing, a label is no ending's number, an index is no number or comes twice.
    """
    source = local(path)
    found: list[tuple[int | None, str]] = []
    first: dict[int, int] = {}
    with unpacked(source, ByteCount()) as stream:
        rows = csv_rows(stream, source.where)
        _, header = next(rows, (1, []))
        label = _label_column(header, source.where)
        for line, row in rows:
            if row[label] not in CHOICES:
                said = f"column 'label': {row[label][:40]!r} is not one of {', '.join(CHOICES)}"
                raise DataError(said, source.where, line)
            index = None
            if not header[0]:
                index = whole_number(row[0])
                if index is None:
                    raise DataError(f"column 1: {row[0][:40]!r} is not a whole number from 0 on", source.where, line)
                if index in first:
                    raise DataError(f"column 1: {index} stands in line {first[index]}, too", source.where, line)
                first[index] = line
            found.append((index, row[label]))
    if not found:
        raise DataError("holds no examples", source.where)
    return found


def _label_column(header: list[str], where: str) -> int:
    if not header:
        raise DataError("empty file", where)
    lacking = [name for name in (*ENDINGS, "label") if name not in header]
    if lacking == ["label"]:
        raise DataError("no column 'label': a test file, without labels", where, 1)
    if lacking:
        swapped = "; are gold and predictions swapped?" if "prediction" in ",".join(header) else ""
        raise DataError(f"no column {lacking[0]!r}; SWAG has {','.join(HEADER)}{swapped}", where, 1)
    return header.index("label")
