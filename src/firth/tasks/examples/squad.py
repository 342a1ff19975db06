"""Questions out of SQuAD's official JSON: each with its article, its paragraph and its answers' places."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from firth.config.tasks import SpanTask
from firth.errors import DataError
from firth.packing import Input
from firth.records import kind_of, tidy
from firth.tasks.examples.found import Found, LeftOut

NO_ANSWER = "it has no answer in its text (is_impossible, of SQuAD 2.0)"
_TEST_FILE = "as in a test file; give the train or dev file, which has the answers"
_SHOWN = 5
"""Places of an answer that are named."""


class Question(NamedTuple):
    """A question to answer: its id, the paragraph that it is asked of, and itself."""

    id: str
    context: str
    question: str


def read_squad(stream: io.BufferedReader[Any], source: Input, task: SpanTask, left_out: LeftOut) -> Iterator[Found]:
    """Examples `{"id", "context", "question", "answers"}` of one file, by its own ids; groups are its articles.

    An answer that several people gave is there once. Questions that SQuAD 2.0 marks as without an answer are left out.

    Raises:
        DataError: not JSON of SQuAD's form, an id that comes twice, or an answer that its paragraph does not hold where
            it is said to be; with the place in the file, such as `data[3].paragraphs[2].qas[0].answers`.
    """
    found = False
    for article, asked, one in _questions(stream, source.where):
        found = True
        identity, context, question = one
        title = article.text("title")
        if asked.holds("is_impossible"):
            if task.published:
                raise asked.error("is_impossible", f"this is SQuAD 2.0, and published says {task.published}")
            left_out.add(NO_ANSWER, question)
            continue
        if asked.lacks("answers"):
            raise asked.error("answers", f"question {identity!r} has none: {_TEST_FILE}")
        answers = [_answer(given, identity, context) for given in asked.each("answers")]
        distinct = dict.fromkeys(answers)
        yield Found(
            {
                "id": identity,
                "context": context,
                "question": question,
                "answers": [{"text": text, "start": start} for text, start in distinct],
            },
            context if task.group_field == "context" else title,
        )
    if not found:
        raise DataError("holds no question", source.where)


def read_questions(stream: io.BufferedReader[Any], where: str) -> Iterator[Question]:
    """The questions of one file to answer, in its order; titles and answers may be missing, and are not read.

    Raises:
        DataError: not JSON of SQuAD's form, or an id that comes twice; with the place in the file.
    """
    for _, _, question in _questions(stream, where):
        yield question


def _questions(stream: io.BufferedReader[Any], where: str) -> Iterator[tuple[_Part, _Part, Question]]:
    """Each question with its article and its own object."""
    seen: dict[str, str] = {}
    for article in _document(stream, where).each("data"):
        for paragraph in article.each("paragraphs"):
            context = paragraph.text("context")
            for asked in paragraph.each("qas"):
                question = Question(asked.text("id"), context, asked.text("question"))
                if question.id in seen:
                    raise asked.error("id", f"{question.id!r} is the id of {seen[question.id]} too")
                seen[question.id] = asked.path
                yield article, asked, question


def _answer(given: _Part, identity: str, context: str) -> tuple[str, int]:
    """The answer without blanks around it, and its first character in the context."""
    text, start = given.text("text"), given.number("answer_start")
    if not context.startswith(text, start):
        places = [match.start() for match in re.finditer(f"(?={re.escape(text)})", context)]
        also = "".join(f", {place}" for place in places[1:_SHOWN]) + (", …" if len(places) > _SHOWN else "")
        found = f"it stands at {places[0]}{also}" if places else "it does not occur in it"
        raise given.error(
            "answer_start", f"the context of question {identity!r} does not hold {text[:80]!r} at {start}; {found}"
        )
    return text.strip(), start + len(text) - len(text.lstrip())


def _document(stream: io.BufferedReader[Any], where: str) -> _Part:
    try:
        value = json.loads(stream.read().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DataError(f"not UTF-8: byte 0x{error.object[error.start]:02x} at offset {error.start}", where) from None
    except RecursionError:
        raise DataError("not valid JSON: nested too deeply", where) from None
    except json.JSONDecodeError as error:
        hint = "; a record a line is format jsonl" if error.msg == "Extra data" else ""
        raise DataError(f"not valid JSON: {error.msg} (column {error.colno}){hint}", where, error.lineno) from None
    predictions = isinstance(value, dict) and value and not {"data", "version"} & value.keys()
    if predictions and all(isinstance(answer, str) for answer in value.values()):
        raise DataError(
            f"a file of predictions ({len(value)} answers by question id, the first {next(iter(value))!r}), not of "
            "questions; give the train or dev file",
            where,
        )
    if not isinstance(value, dict) or not isinstance(value.get("data"), list):
        there = ", ".join(map(str, list(value)[:8])) if isinstance(value, dict) else kind_of(value)
        raise DataError(f'not SQuAD: expected {{"version", "data": [articles]}}, found {there or "nothing"}', where)
    return _Part(value, where, "")


class _Part:
    """An object of the file, whose errors name it by its path."""

    def __init__(self, value: dict[str, Any], where: str, path: str) -> None:
        self._value, self._where, self.path = value, where, path

    def text(self, key: str) -> str:
        value = self._required(key)
        if not isinstance(value, str):
            raise self.error(key, f"holds {kind_of(value)}; expected a text")
        if not value.strip():
            raise self.error(key, "is empty")
        return tidy(value)

    def number(self, key: str) -> int:
        value = self._required(key)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            shown = value if isinstance(value, int | float) else kind_of(value)
            raise self.error(key, f"holds {shown}; expected the number of a character, from 0")
        return value

    def each(self, key: str) -> Iterator[_Part]:
        value = self._required(key)
        if not isinstance(value, list):
            raise self.error(key, f"holds {kind_of(value)}; expected a list")
        for number, item in enumerate(value):
            if not isinstance(item, dict):
                raise self.error(f"{key}[{number}]", f"holds {kind_of(item)}; expected an object")
            yield _Part(item, self._where, self._at(f"{key}[{number}]"))

    def lacks(self, key: str) -> bool:
        return self._value.get(key) in (None, [])

    def holds(self, key: str) -> bool:
        return self._value.get(key) is True

    def error(self, key: str, message: str) -> DataError:
        return DataError(f"{self._at(key)}: {message}", self._where)

    def _required(self, key: str) -> Any:
        if key not in self._value:
            there = ", ".join(list(self._value)[:8]) or "none"
            raise self.error(key, f"no such key; there are: {there}")
        return self._value[key]

    def _at(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key
