"""`firth predict` on SQuAD's JSON and CoNLL's columns: predictions that `firth score` takes."""

from __future__ import annotations

import bz2
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from one_thread import one_thread  # noqa: F401
from predict_calls import lines, predict
from typer.testing import CliRunner
from usage_examples import draw

from firth.cli import app
from firth.errors import FirthError


def squad_file(path: Path, rows: list[dict[str, Any]]) -> None:
    """Each row a paragraph with its question, without a title and without answers."""
    data = [
        {"paragraphs": [{"context": one["context"], "qas": [{"id": one["id"], "question": one["question"]}]}]}
        for one in rows
    ]
    path.write_text(json.dumps({"version": "1.1", "data": data}), encoding="utf-8")


def test_squads_questions_become_official_predictions(models: Path, place: Path) -> None:
    dev = draw("span", 30, 2)
    squad_file(place / "dev.json", dev)
    (place / "dev.json.gz").write_bytes(gzip.compress((place / "dev.json").read_bytes()))
    (place / "dev.txt").write_bytes((place / "dev.json").read_bytes())
    expected = {
        one["id"]: answer["predicted"] for one, answer in zip(dev, lines(models / "span.expected"), strict=True)
    }
    for source, more in (("dev.json", []), ("dev.json.gz", []), ("dev.txt", ["--format", "squad"])):
        said = predict("-m", models / "span", "-i", source, "-o", "out.json", "--batch", 7, *more)
        assert said.stdout == "out.json: 30 questions\n"
        assert "predict: 30 of 30 questions (100%)" in said.stderr
        found = json.loads((place / "out.json").read_text(encoding="utf-8"))
        assert found == expected
        assert list(found) == list(expected)
    gold = [{"paragraphs": [{"context": one["context"], "qas": [one]}]} for one in dev]
    (place / "gold.json").write_text(json.dumps({"data": gold}))
    scored = CliRunner().invoke(app, ["score", "squad", "--gold", "gold.json", "--pred", "out.json"])
    assert "30 questions, 0 unanswered, 0 unknown" in scored.stdout


def columns(dev: list[dict[str, Any]], tags: bool = True, blank: str = " ", iob1: bool = False) -> str:
    """With a column of capitals between word and tag, in documents of three sentences."""
    written = []
    for number, one in enumerate(dev):
        if number % 3 == 0:
            written += ["-DOCSTART- X O" if tags else "-DOCSTART- X", ""]
        for word, tag in zip(one["tokens"], one["tags"], strict=True):
            said = tag.replace("B-", "I-") if iob1 else tag
            written.append(blank.join([word, word.upper(), *([said] if tags else [])]))
        written.append("")
    return "\n".join(written) + "\n"


def test_columns_get_the_predicted_tag(models: Path, place: Path) -> None:
    dev = draw("tagging", 30, 2)
    expected = [one["predicted"] for one in lines(models / "tagging.expected")]
    for name, content, more in (
        ("eng.testb", columns(dev), []),
        ("eng.testb.bz2", columns(dev), []),
        ("plain.conll", columns(dev, tags=False), []),
        ("tabs.txt", columns(dev, blank="\t"), ["--format", "conll"]),
    ):
        (place / name).write_bytes(bz2.compress(content.encode()) if name.endswith(".bz2") else content.encode())
        said = predict("-m", models / "tagging", "-i", name, "-o", "out.txt", "--batch", 7, *more)
        assert said.stdout == "out.txt: 30 sentences\n"
        assert "predict: 30 of 30 sentences (100%)" in said.stderr
        assert "no text" not in said.stderr, "lines between sentences are none that want an answer"
        given, found = content.split("\n"), (place / "out.txt").read_text().split("\n")
        assert len(found) == len(given)
        assert all(line.startswith(before) for line, before in zip(found, given, strict=True))
        last = [line.split()[-1] for line in found if line and not line.startswith("-DOCSTART-")]
        assert last == [tag for tags in expected for tag in tags]
        assert found[0] == given[0] + " O"
        assert [not line for line in found] == [not line for line in given]


def test_a_sentence_that_is_longer_than_the_model_reads_is_said(models: Path, place: Path) -> None:
    (place / "in.conll").write_text("film\n" * 100 + "\nfilm\n")
    said = predict("-m", models / "tagging", "-i", "in.conll", "-o", "out.txt")
    assert "1 sentence has more than 32 tokens: what is behind them was not read" in said.stderr
    assert len((place / "out.txt").read_text().splitlines()) == 102


def test_tags_are_written_in_the_files_own_scheme_and_scored(models: Path, place: Path) -> None:
    """IOB1 begins with I-: the tags of words that are right are to be the same."""
    dev = draw("tagging", 30, 2)
    accuracies = []
    for iob1 in (False, True):
        (place / "eng.testb").write_text(columns(dev, iob1=iob1))
        predict("-m", models / "tagging", "-i", "eng.testb", "-o", "out.txt")
        command = ["score", "conll2003", "--pred", "out.txt", "--json", "scores.json"]
        assert CliRunner().invoke(app, command, catch_exceptions=False).exit_code == 0
        scored = json.loads((place / "scores.json").read_text())
        accuracies.append(scored["scores"])
        assert scored["counts"]["sentences"] == 30
    assert accuracies[0] == accuracies[1]
    assert accuracies[0]["accuracy"] > 60


@pytest.mark.parametrize(
    ("name", "content", "arguments", "message"),
    [
        ("in.json", '{"data": [', ["-o", "o.json"], "in.json, line 1: not valid JSON"),
        ("in.json", '{"data": [{"paragraphs": [{}]}]}', ["-o", "o.json"], "data[0].paragraphs[0].context: no such key"),
        ("in.json", "{}", ["-o", "o.jsonl"], 'SQuAD\'s JSON are written as {"id": "answer"}; name a .json file'),
        ("in.conll", "Igor\nleft O\n", ["-o", "o.txt"], "in.conll, line 2: 2 columns, but the first word has 1: 'left"),
        ("in.conll", "Igor\tO\n\tO\n", ["-o", "o.txt"], "in.conll, line 2: an empty word"),
        ("in.conll", "Igor\n", ["-o", "o.csv"], "o.csv: tags are written into columns; name a .txt or .conll file"),
        ("in.conll", "Igor\n", ["-o", "o.txt", "-n", "2"], "--best is for records, and in.conll is of format conll"),
        ("in.conll", "Igor\n", ["-o", "o.txt", "--field", "tokens=a"], "--field is for records, and in.conll is of"),
        ("in.json", "{}", ["-o", "o.json", "-m", "tagging"], "JSON is for a span model, and this one is for tagging"),
        ("in.conll", "Igor\n", ["-o", "o.txt", "-m", "plain", "--task", "fill"], "columns is for a kept tagging"),
    ],
)  # fmt: skip
def test_official_files_that_cannot_be_used(
    models: Path, place: Path, name: str, content: str, arguments: list[str], message: str
) -> None:
    for kind in ("tagging", "span", "plain"):
        (place / kind).symlink_to(models / kind)
    (place / name).write_text(content)
    before = {path.name for path in place.iterdir()}
    more = [] if "-m" in arguments else ["-m", "span" if name == "in.json" else "tagging"]
    with pytest.raises(FirthError) as error:
        predict("-i", name, *arguments, *more)
    assert message in str(error.value)
    assert {path.name for path in place.iterdir()} == before
