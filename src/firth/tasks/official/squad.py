"""SQuAD v1.1 (Rajpurkar et al. 2016): exact match and F1 of `{question id: answer}` on the official JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firth.errors import DataError
from firth.packing import ByteCount, local, unpacked
from firth.records import kind_of
from firth.tasks.measures import answers
from firth.tasks.official.results import Result, row_count

OFFICIAL = {"train": 87_599, "dev": 10_570}
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Question:
    """One question with the texts of all its answers."""

    id: str
    answers: list[str]


def score_squad(gold: Path, predictions: Path) -> Result:
    """`exact_match` and `f1`, percent, the mean over gold's questions; one without prediction scores 0.

    Raises:
        DataError: a file is not JSON of its form.
    """
    questions = read_questions(gold)
    predicted = read_answers(predictions)
    exact = f1 = 0.0
    each = []
    for question in questions:
        given = predicted.get(question.id)
        right = 0.0 if given is None else answers.exact(given, question.answers)
        shared = 0.0 if given is None else answers.f1(given, question.answers)
        exact, f1 = exact + right, f1 + shared
        record = {"id": question.id, "answers": question.answers, "predicted": given}
        each.append({**record, "exact_match": 100 * right, "f1": 100 * shared})
    missing = [question.id for question in questions if question.id not in predicted]
    extra = sorted(predicted.keys() - {question.id for question in questions})
    side = "train" if gold.name.startswith("train") else "dev"
    notes = [f"SQuAD v1.1 {side}: {row_count(len(questions), OFFICIAL[side])}"]
    notes += [_said(missing, "unanswered, each scores 0")] if missing else []
    notes += [_said(extra, "answered, but not in gold")] if extra else []
    return Result(
        scorer="squad",
        scores={"exact_match": 100.0 * exact / len(questions), "f1": 100.0 * f1 / len(questions)},
        counts={"questions": len(questions), "unanswered": len(missing), "unknown": len(extra)},
        notes=notes,
        each=each,
    )


def read_questions(path: Path) -> list[Question]:
    """The questions of an official file, in its order.

    Raises:
        DataError: not JSON, a key is missing (with its path), an id comes twice, or a question has no answer, as in
            SQuAD 2.0, whose scorer is another.
    """
    where = str(path)
    data = _json(path)
    if isinstance(data, dict) and "data" not in data and data and all(isinstance(v, str) for v in data.values()):
        raise DataError("these are predictions, id to answer; are gold and predictions swapped?", where)
    found: dict[str, Question] = {}
    for at, entry in _questions(data, where):
        name = _get(entry, "id", str, at, where)
        if name in found:
            raise DataError(f"{at}.id: the question {name!r} comes twice", where)
        given = [] if entry.get("is_impossible") is True else _get(entry, "answers", list, at, where)
        texts = [_get(one, "text", str, f"{at}.answers[{n}]", where) for n, one in enumerate(given)]
        if not texts:
            raise DataError(f"{at}: the question {name!r} has no answer; expected SQuAD v1.1, not 2.0 or a test file",
                            where)  # fmt: skip
        found[name] = Question(name, texts)
    if not found:
        raise DataError("holds no questions; was it copied to its end?", where)
    return list(found.values())


def read_answers(path: Path) -> dict[str, str]:
    """Predictions: one JSON object, question id to answer.

    Raises:
        DataError: not such an object, an id that comes twice, an answer that is no text.
    """
    where = str(path)
    data = _json(path)
    if isinstance(data, dict) and isinstance(data.get("data"), list):
        raise DataError("this is a file of questions; are gold and predictions swapped?", where)
    if not isinstance(data, dict):
        raise DataError(f'expected an object {{"question id": "answer"}}, found {kind_of(data)}', where)
    for name, answer in data.items():
        if not isinstance(answer, str):
            raise DataError(f"the answer to {name!r} is {kind_of(answer)}, expected a text", where)
    if not data:
        raise DataError("holds no predictions", where)
    return data


def _questions(data: Any, where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """`(path, question)`: `data[0].paragraphs[1].qas[2]`."""
    for a, article in enumerate(_get(data, "data", list, "", where)):
        at = f"data[{a}]"
        for p, paragraph in enumerate(_get(article, "paragraphs", list, at, where)):
            for q, entry in enumerate(_get(paragraph, "qas", list, f"{at}.paragraphs[{p}]", where)):
                spot = f"{at}.paragraphs[{p}].qas[{q}]"
                if not isinstance(entry, dict):
                    raise DataError(f"{spot} is {kind_of(entry)}, expected an object", where)
                yield spot, entry


def _get(value: Any, key: str, kind: type, at: str, where: str) -> Any:
    """`value[key]`, which must be of that kind."""
    if not isinstance(value, dict):
        raise DataError(f"{at or 'the file'} is {kind_of(value)}, expected an object with {key!r}", where)
    place = f"{at}.{key}" if at else key
    if key not in value:
        raise DataError(f"no {place}; there are: {', '.join(value) or 'no keys'}", where)
    if not isinstance(value[key], kind):
        expected = "a list" if kind is list else "a text"
        raise DataError(f"{place} is {kind_of(value[key])}, expected {expected}", where)
    return value[key]


def _json(path: Path) -> Any:
    """The file's JSON value; a key that comes twice in an object would hide an answer, and is an error."""
    source = local(path)
    with unpacked(source, ByteCount()) as stream:
        data = stream.read()

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise DataError(f"{twice!r} comes twice in one object", source.where)
        return value

    try:
        return json.loads(data.decode("utf-8-sig"), object_pairs_hook=unique)
    except UnicodeDecodeError as error:
        raise DataError(f"not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}", source.where) from None
    except json.JSONDecodeError as error:
        raise DataError(f"not valid JSON: {error.msg} (column {error.colno})", source.where, error.lineno) from None
    except RecursionError:
        raise DataError("not valid JSON: nested too deeply", source.where) from None


def _said(ids: list[str], what: str) -> str:
    more = f" and {len(ids) - SHOWN:,} more" if len(ids) > SHOWN else ""
    return f"{len(ids):,} {what}: {', '.join(ids[:SHOWN])}{more}"
