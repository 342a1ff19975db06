"""Texts, pairs and questions out of CSV, TSV and JSON Lines, plain and packed; what is broken is named by its line."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma

import pytest
import zstandard
from pydantic import ValidationError

from firth.errors import DataError, FirthError, IntegrityError
from firth.tasks.examples.found import notes

ROWS = [(f"The {noun} was {word}, number {n}.", "good" if word == "fine" else "bad")
        for n, noun in enumerate(["film", "book", "play", "song"] * 5) for word in ("fine", "dull")]  # fmt: skip


def jsonl(*records: object) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def texts(*rows: tuple[object, object]) -> str:
    return jsonl(*({"text": text, "label": label} for text, label in rows))


def csv_of(rows: list[tuple[str, str]], comma: str = ",") -> str:
    quoted = ('"' + text.replace('"', '""') + '"' for text, _ in rows)
    return f"id{comma}label{comma}text\r\n" + "".join(
        f"{n}{comma}{label}{comma}{text}\r\n" for n, (text, (_, label)) in enumerate(zip(quoted, rows, strict=True))
    )


PACKERS = {
    "": lambda data: data,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.ZstdCompressor().compress,
}


@pytest.mark.parametrize("ending", PACKERS)
@pytest.mark.parametrize("format_", ["csv", "tsv", "jsonl"])
def test_the_same_examples_from_every_format_and_packing(built, ending: str, format_: str) -> None:
    content = {"csv": csv_of(ROWS), "tsv": "\ufeff" + csv_of(ROWS, "\t"), "jsonl": texts(*ROWS)}[format_]
    found = built("text", PACKERS[ending](content.encode()), f"a.{format_}{ending}", format=format_)
    everything = {(example["text"], example["label"]) for example in found.train + found.dev}
    assert everything == set(ROWS)
    assert found.manifest["labels"] == ["bad", "good"]
    assert found.manifest["available"] == {"train": len(found.train), "dev": len(found.dev)}
    assert found.manifest["left_out"] == []


@pytest.mark.parametrize("ending", [ending for ending in PACKERS if ending])
def test_a_torn_file_is_an_error(built, ending: str) -> None:
    packed = PACKERS[ending](texts(*ROWS * 200).encode())
    with pytest.raises(DataError, match=rf"a\.jsonl{ending}: .*(truncated|damaged)"):
        built("text", packed[: len(packed) * 2 // 3], f"a.jsonl{ending}")


def test_labels_are_taken_as_they_are_written(built) -> None:
    rows = "".join(
        f'{{"text": "Text number {n}", "label": {label}}}\n'
        for n, label in enumerate(["true", "false", "1", "1.0", "1e3", '"1.50"', '" x "'] * 8)
    )
    assert built("text", rows).manifest["labels"] == ["1", "1.0", "1.50", "1e3", "false", "true", "x"]


def test_labels_that_are_not_listed_are_left_out_and_counted_unread(built) -> None:
    data = csv_of([*ROWS, ("", "plot"), ("A plot.", "plot"), ("Who knows?", "")])
    found = built("text", data, "a.csv", format="csv", labels=["good", "bad"])
    assert found.manifest["left_out"] == [
        {"reason": "its label 'plot' is not among those listed", "examples": 2, "example": ""},
        {"reason": "no label", "examples": 1, "example": "Who knows?"},
    ]
    with pytest.raises(DataError, match=r"tasks\.t\.labels: no training example has 'goood'; there are: good"):
        built("text", data, "a.csv", format="csv", labels=["good", "goood"])


def test_records_without_a_label_are_left_out_unless_all_are(built) -> None:
    found = built("text", jsonl({"text": "No one knows."}, {"text": "Nor this.", "label": None}) + texts(*ROWS))
    assert found.manifest["left_out"] == [{"reason": "no label", "examples": 2, "example": "No one knows."}]
    with pytest.raises(DataError, match=r"line 1: no field 'lable'; there are: text, label; did you mean 'label'\?"):
        built("text", texts(*ROWS), label_field="lable")
    with pytest.raises(DataError, match=r"tasks\.t: no example is left \(left out: 1: no label\)"):
        built("text", texts(("x y", None)))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("", r"a\.jsonl: empty file"),
        (texts(*ROWS) + '{"text": ', r"a\.jsonl, line 41: not valid JSON"),
        (texts(*ROWS, ("  ", "good")), r"a\.jsonl, line 41: field 'text' is empty"),
        (texts(*ROWS, (["x"], "good")), r"line 41: field 'text' holds a list, not text"),
        (texts(*ROWS, ("x", ["good"])), r"line 41: field 'label' holds a list; expected a text, a number or a truth"),
        (texts(*ROWS) + "[]\n", r"line 41: expected a JSON object, found a list"),
        (texts(*ROWS) + '{"txt": "x", "label": "good"}\n', r"line 41: no field 'text'; .*did you mean 'txt'"),
        (texts(*ROWS).encode() + b'{"text": "caf\xe9"}', r"a\.jsonl, line 41: not UTF-8: byte 0xe9"),
        (texts(("x", "good")).encode("utf-16"), r"line 1: UTF-16"),
        (texts(*[(text, "good") for text, _ in ROWS]), r"training examples have one label \('good'\); two"),
        (texts(*[(text, text) for text, _ in ROWS]), r"tasks\.t\.label_field: \d+ different values in \d+ examples"),
        (
            texts(*ROWS[:2]),
            r"tasks\.t: of 2 examples in 2 groups none is on the dev side \(dev_share 0\.15\); give more",
        ),
    ],
)
def test_what_cannot_be_used_is_named(built, data, said: str) -> None:
    with pytest.raises(FirthError, match=said):
        built("text", data)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (csv_of(ROWS) + "41,good\r\n", r"a\.csv, line 42: 2 fields, but the header names 3"),
        (csv_of(ROWS) + '41,good,"open\r\n', r"a\.csv, line 42: not valid CSV"),
        (
            csv_of(ROWS).replace("text", "body", 1),
            r"a\.csv, line 1: no field 'text'; there are: id, label, body \(the first",
        ),
        (csv_of(ROWS).replace("id", "text", 1), r"a\.csv, line 1: the header names 'text' 2 times"),
        ("id,label,text\n", r"a\.csv: tasks\.t: no example is there, at most a header; give a file of examples"),
        (
            "id,prediction\n1,a\n",
            r"a\.csv, line 1: no field 'text'; .*: a file of predictions\? Give one with labelled",
        ),
        ("\n\n", r"a\.csv: empty file"),
    ],
)
def test_what_cannot_be_used_in_csv_is_named(built, data, said: str) -> None:
    with pytest.raises(FirthError, match=said):
        built("text", data, "a.csv", format="csv")


def test_tsv_has_no_quoting_but_whole_fields(built) -> None:
    rows = "".join(f'Nr {n}: 5" nails\t{"good" if n % 2 else "bad"}\n' for n in range(40))
    found = built("text", "text\tlabel\n" + rows + '"He said ""yes""."\tgood\n', "a.tsv", format="tsv")
    assert {'Nr 3: 5" nails', 'He said "yes".'} <= {example["text"] for example in found.train + found.dev}
    with pytest.raises(DataError, match=r"a\.tsv, line 42: 3 fields between tabs, but the header names 2"):
        built("text", "text\tlabel\n" + rows + '"a\tb"\tgood\n', "a.tsv", format="tsv")


def test_characters_that_no_file_can_hold_and_line_separators(built) -> None:
    odd = [(f"{text}\u2028 \x85 {chr(0xD800)}\x00", label) for text, label in ROWS]
    found = built("text", texts(*odd))
    assert {example["text"] for example in found.train + found.dev} == {f"{t}\u2028 \x85 \ufffd\x00" for t, _ in ROWS}


def test_pairs(built) -> None:
    rows = [{"q": f"Is it {n}?", "p": f"It is {n}.", "label": n % 2 == 0} for n in range(40)]
    found = built("pair", jsonl(*rows), first_field="q", second_field="p")
    assert found.kind == "pair"
    assert {(e["first"], e["second"], e["label"]) for e in found.train + found.dev} == {
        (row["q"], row["p"], str(row["label"]).lower()) for row in rows
    }
    with pytest.raises(DataError, match="line 41: field 'p' is empty"):
        built("pair", jsonl(*rows, {"q": "x", "p": "", "label": 1}), first_field="q", second_field="p")


def questions(*answers: object) -> str:
    """Enough answerable questions, and then one with each of `answers`."""
    fine = [{"context": f"Room {n} is in house {n} of the street.", "question": "Which house?", "answer": f"house {n}"}
            for n in range(40)]  # fmt: skip
    odd = [{"context": "ab ab c", "question": f"Which of {n}?", "answer": answer} for n, answer in enumerate(answers)]
    return jsonl(*fine, *odd)


def test_answers_are_found_in_their_context(built) -> None:
    given = ["b", [" c ", "ab", "ab"], {"text": ["ab"], "answer_start": [3]}, {"text": ["ab", "no"]}, ["zz", "c"]]
    found = built("span", questions(*given))
    everything = {e["question"]: e for e in found.train + found.dev}
    assert all(
        e["context"][a["start"] :].startswith(a["text"]) and a["text"]
        for e in everything.values()
        for a in e["answers"]
    )
    assert everything["Which of 0?"]["answers"] == [{"text": "b", "start": 1}]
    assert everything["Which of 1?"]["answers"] == [{"text": "c", "start": 6}, {"text": "ab", "start": 0}]
    assert everything["Which of 2?"]["answers"] == [{"text": "ab", "start": 3}]
    assert everything["Which of 3?"]["answers"] == [{"text": "ab", "start": 0}]
    assert everything["Which of 4?"]["answers"] == [{"text": "c", "start": 6}]
    assert found.manifest["labels"] == []


def test_questions_without_an_answer_are_left_out_and_counted(built) -> None:
    asked = questions("unknown", ["x", "y"], [], {"text": [], "answer_start": []}, "AB")
    found = built("span", asked, absent_share=0.1)
    assert found.manifest["left_out"] == [
        {"reason": "no answer", "examples": 2, "example": "Which of 2?"},
        {
            "reason": "the answer does not occur in the context",
            "examples": 3,
            "example": "unknown ← Which of 0?",
        },
    ]
    assert list(notes(found.manifest)) == [
        "left out 2 — no answer (such as Which of 2?)",
        "left out 3 — the answer does not occur in the context (such as unknown ← Which of 0?)",
    ]


def test_too_many_answers_that_no_context_holds_are_refused_with_the_first_ones_line(built) -> None:
    asked = questions(*["ab"] * 5, "west", "east")
    count = len(asked.splitlines())
    said = (
        rf"a\.jsonl, line 46: field 'answer': the context does not hold 'west'; that goes for 2 of {count} questions, "
    )
    with pytest.raises(DataError, match=said + r"more than absent_share \(0\.01\): write answers letter for letter"):
        built("span", asked)
    assert len(built("span", asked, absent_share=2 / count).train) > 0
    with pytest.raises(
        ValidationError, match="absent_share: with format squad every answer stands where the file says"
    ):
        built("span", "{}", "a.json", format="squad", absent_share=0.5)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("", "field 'answer' is empty"),
        (None, "field 'answer' holds null; expected a text or a list of texts"),
        ([True], "field 'answer' holds a truth value"),
        ({"text": "ab"}, r'field \'answer\' expected {"text": \[texts\], "answer_start"'),
        ({"text": ["ab"], "answer_start": [1, 2]}, "as many numbers"),
        ({"text": ["ab"], "answer_start": [1]}, "the context does not hold 'ab' at character 1"),
        ({"text": ["ab"], "answer_start": [-4]}, "the context does not hold 'ab' at character -4"),
        ({"text": ["ab"], "answer_start": ["0"]}, "the context does not hold 'ab' at character 0"),
    ],
)
def test_answers_that_cannot_be_used_are_named(built, answer: object, said: str) -> None:
    with pytest.raises(DataError, match=f"a\\.jsonl, line 41: .*{said}"):
        built("span", questions(answer))


def test_another_file_than_the_pinned_one_is_refused_with_the_remedy(folder, built) -> None:
    from tests.tasks.examples.conftest import task_of

    from firth.tasks.examples.build import build

    (folder / "a.jsonl").write_text(texts(*ROWS))
    task = task_of("text", folder, "a.jsonl")
    (folder / "a.jsonl").write_text(texts(*ROWS[1:]))
    with pytest.raises(IntegrityError, match=r"tasks\.t: a\.jsonl is not the file that is pinned .* firth task pin t"):
        build("t", task, folder / "out", folder)
    (folder / "a.jsonl").unlink()
    with pytest.raises(DataError, match=r"a\.jsonl: no such file \(a relative path"):
        build("t", task, folder / "out", folder)
    assert not (folder / "out").exists()
