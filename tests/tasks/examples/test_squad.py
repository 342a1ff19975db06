"""SQuAD's official JSON: questions by their ids, articles on one side, and every broken place named by its path."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tasks.examples.conftest import task_of

from firth.config.tasks import SpanTask
from firth.errors import ConfigError, DataError
from firth.packing import Input
from firth.tasks.examples.describe import describe_task
from firth.tasks.examples.found import LeftOut
from firth.tasks.examples.squad import read_squad

CONTEXT = "Anna left Leeds in May. Anna came back to Leeds in June."


def question(identity: str, *answers: tuple[str, int], **more: Any) -> dict[str, Any]:
    given = [{"answer_start": start, "text": text} for text, start in answers]
    return {"answers": given, "question": f"Question {identity}?", "id": identity} | more


def squad(*articles: list[dict[str, Any]]) -> dict[str, Any]:
    """A file of articles of one paragraph each, with these questions."""
    return {
        "version": "1.1",
        "data": [
            {"title": f"Article_{n}", "paragraphs": [{"context": f"{CONTEXT} ({n})", "qas": asked}]}
            for n, asked in enumerate(articles)
        ],
    }


def test_questions_keep_their_ids_and_each_answer_is_there_once(built) -> None:
    train = squad([question("a1", ("Leeds", 10), ("Leeds", 10), ("Leeds", 42), (" in May", 15))])
    dev = squad([], [question("b1", ("Anna", 24))])
    found = built("span", json.dumps(train), "a.json", dev="\ufeff" + json.dumps(dev), format="squad")
    (example,) = found.train
    assert example == {
        "id": "a1",
        "context": f"{CONTEXT} (0)",
        "question": "Question a1?",
        "answers": [{"text": "Leeds", "start": 10}, {"text": "Leeds", "start": 42}, {"text": "in May", "start": 16}],
    }
    assert [one["id"] for one in found.dev] == ["b1"]
    assert {key: found.manifest[key] for key in ("length", "doc_stride", "query_length")} == {
        "length": 384, "doc_stride": 128, "query_length": 64,
    }  # fmt: skip


def test_an_article_stays_on_one_side(built) -> None:
    data = json.dumps(squad(*([question(f"{n}-{k}", ("Anna", 0)) for k in range(3)] for n in range(20))))
    found = built("span", data, "a.json", format="squad", dev_share=0.4)
    sides = [{one["id"].split("-")[0] for one in side} for side in (found.train, found.dev)]
    assert not sides[0] & sides[1]
    assert len(found.train) + len(found.dev) == 60
    again = built("span", data, "a.json", format="squad", dev_share=0.4, doc_stride=None, group_field="context")
    assert not {"doc_stride", "query_length"} & again.manifest.keys()


def test_questions_without_an_answer_are_left_out_and_counted(built) -> None:
    data = squad([question("a", ("Anna", 0), is_impossible=False), question("b", is_impossible=True)])
    found = built(
        "span", json.dumps(data), "a.json", dev=json.dumps(squad([], [question("c", ("Anna", 0))])), format="squad"
    )
    (row,) = found.manifest["left_out"]
    assert (row["examples"], row["example"]) == (1, "Question b?")
    assert "is_impossible, of SQuAD 2.0" in row["reason"]
    with pytest.raises(DataError, match=r"qas\[1\].is_impossible: this is SQuAD 2.0, and published says squad-1.1"):
        built("span", json.dumps(data), "a.json", dev=json.dumps(data), format="squad", published="squad-1.1")


def changed(change: Callable[[dict[str, Any]], Any]) -> str:
    data = squad([question("a", ("Anna", 0))], [question("b", ("Leeds", 10)), question("c", ("May", 19))])
    change(data)
    return json.dumps(data)


def qas(data: dict[str, Any]) -> Any:
    return data["data"][1]["paragraphs"][0]["qas"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d["data"][1].pop("title"), r"a\.json: data\[1\]\.title: no such key; there are: paragraphs"),
        (
            lambda d: qas(d)[1].pop("answers"),
            r"data\[1\]\.paragraphs\[0\]\.qas\[1\]\.answers: question 'c' has none: as in a test file; give the ",
        ),
        (lambda d: qas(d)[0].update(answers={}), r"qas\[0\]\.answers: holds an object; expected a list"),
        (lambda d: qas(d)[0].update(answers=[]), r"qas\[0\]\.answers: question 'b' has none"),
        (lambda d: qas(d)[0].update(answers=["Leeds"]), r"qas\[0\]\.answers\[0\]: holds a string; expected an object"),
        (
            lambda d: qas(d)[1].update(id="a"),
            r"qas\[1\]\.id: 'a' is the id of data\[0\]\.paragraphs\[0\]\.qas\[0\] too",
        ),
        (lambda d: qas(d)[1].update(question=" "), r"qas\[1\]\.question: is empty"),
        (lambda d: qas(d)[1].update(question=7), r"qas\[1\]\.question: holds a number; expected a text"),
        (
            lambda d: qas(d)[0]["answers"][0].update(answer_start=9),
            r"answers\[0\]\.answer_start: the context of question 'b' does not hold 'Leeds' at 9; it stands at 10, 42$",
        ),
        (lambda d: qas(d)[0]["answers"][0].update(text="Rome"), r"'b' does not hold 'Rome' at 10; it does not occur"),
        (
            lambda d: qas(d)[0]["answers"][0].update(answer_start=-1),
            r"answer_start: holds -1; expected the number of a",
        ),
        (lambda d: qas(d)[0]["answers"][0].update(answer_start="10"), r"answer_start: holds a string; expected the"),
        (lambda d: d["data"][0].update(paragraphs=[]) or qas(d).clear(), r"a\.json: holds no question"),
        (
            lambda d: [d.clear(), d.update(q1="Leeds", q2="")],
            r"a\.json: a file of predictions \(2 answers by question id, the first 'q1'\), not of questions; give the",
        ),
        (lambda d: d.pop("data"), r'not SQuAD: expected {"version", "data": \[articles\]}, found version'),
    ],
)
def test_what_cannot_be_used_is_named_by_its_path(built, change, said: str) -> None:
    with pytest.raises(DataError, match=said):
        built("span", changed(change), "a.json", format="squad")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (
            '{"context": "a"}\n{"context": "b"}\n',
            r"a\.json, line 2: not valid JSON: Extra data .*a record a line is for",
        ),
        ('{"data": [', r"a\.json, line 1: not valid JSON: Expecting value \(column 11\)$"),
        ("[]", r"found a list"),
        (b'{"data": "\xe9"}', r"not UTF-8: byte 0xe9 at offset 10"),
        ("[" * 100_000, r"nested too deeply"),
    ],
)
def test_what_is_no_squad_is_said(built, data, said: str) -> None:
    with pytest.raises(DataError, match=said):
        built("span", data, "a.json", format="squad")


@given(
    st.lists(st.sampled_from(["Anna", "ab", "aab", " ", "é", "😀", "\ud800", "\n"]), min_size=1, max_size=12), st.data()
)
def test_answers_are_found_by_character_in_any_text(parts, data) -> None:
    context = "x" + "".join(parts)
    start = data.draw(st.integers(0, len(context) - 1))
    text = context[start : data.draw(st.integers(start + 1, len(context)))]
    written = squad([question("a", (text, start))])
    written["data"][0]["paragraphs"][0]["context"] = context
    found = LeftOut()

    def read(content: dict[str, Any]) -> list[Any]:
        import io

        stream = io.BufferedReader(io.BytesIO(json.dumps(content).encode()))  # type: ignore[arg-type]
        return list(read_squad(stream, Input("a", "a", 1, lambda: stream), SQUAD, found))

    if not text.strip():
        with pytest.raises(DataError, match="is empty"):
            read(written)
        return
    (item,) = read(written)
    (answer,) = item.example["answers"]
    assert item.example["context"].startswith(answer["text"], answer["start"])
    assert answer["text"] == text.strip().replace("\ud800", "\ufffd")
    moved = copy.deepcopy(written)
    moved["data"][0]["paragraphs"][0]["qas"][0]["answers"][0]["answer_start"] = start + 1
    if not context.startswith(text, start + 1):
        with pytest.raises(DataError, match="does not hold"):
            read(moved)


SQUAD = SpanTask(
    kind="span", title="t", licence="l", attribution="a", format="squad",
    train={"kind": "files", "path": "a", "sha256": "0" * 64},  # type: ignore[arg-type]
)  # fmt: skip


def test_settings_are_the_papers_unless_said_otherwise(folder: Path) -> None:
    (folder / "a.json").write_text("{}")
    told = task_of("span", folder, "a.json", format="squad")
    assert isinstance(told, SpanTask)
    assert (told.length, told.doc_stride, told.query_length) == (384, 128, 64)
    plain = task_of("span", folder, "a.json", format="jsonl")
    assert isinstance(plain, SpanTask)
    assert (plain.length, plain.doc_stride, plain.query_length) == (128, None, 64)
    cut = task_of("span", folder, "a.json", format="jsonl", doc_stride=32)
    assert isinstance(cut, SpanTask)
    assert (cut.length, cut.doc_stride, cut.query_length) == (128, 32, 64)
    for fields, said in (
        ({"length": 128}, "doc_stride 128 with length 128 and query_length 64: .* 32 is the most"),
        ({"length": 64, "doc_stride": 1}, "give a greater length"),
        ({"answer_field": "answer_text"}, "answer_field: format squad has names of its own"),
        (
            {"group_field": "passage"},
            r"group_field 'passage': with format squad it is title \(of an article\) or context",
        ),
    ):
        with pytest.raises(ValueError, match=said):
            task_of("span", folder, "a.json", format="squad", **fields)


def test_the_format_is_told_by_the_ending(folder: Path) -> None:
    (folder / "a.json").write_text("{}")
    assert describe_task("span", "a.json", None, folder, {})["format"] == "squad"
    with pytest.raises(ConfigError, match=r"no format goes with the ending '\.json'"):
        describe_task("text", "a.json", None, folder, {})
