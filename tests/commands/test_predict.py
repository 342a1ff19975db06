"""`firth predict` on files of every kind, with kept models, a plain BERT and word vectors."""

from __future__ import annotations

import bz2
import csv
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from one_thread import one_thread  # noqa: F401
from predict_calls import lines, predict
from usage_examples import bert, draw, trained, vectors

from firth.config.usages import BiLSTM
from firth.encode.use import encode, fill
from firth.errors import DataError, FirthError


@pytest.mark.parametrize("kind", ["text", "pair", "choice", "number", "tagging", "span"])
def test_the_examples_of_a_task_are_answered_as_they_were_scored(models: Path, place: Path, kind: str) -> None:
    dev = draw(kind, 30, 2)
    (place / "dev.jsonl").write_text("".join(json.dumps(one) + "\n" for one in dev))
    said = predict("--model", models / kind, "--input", "dev.jsonl", "--output", "out.jsonl", "--batch", 7)
    assert said.stdout == "out.jsonl: 30 rows\n"
    assert "predict: 30 of 30 rows (100%)" in said.stderr
    found = lines(place / "out.jsonl")
    expected = lines(models / f"{kind}.expected")
    assert [one["prediction"] for one in found] == [one["predicted"] for one in expected]
    for one, given in zip(found, dev, strict=True):
        assert {key: one[key] for key in given} == given  # every field is there still, and the order is the same
    if kind == "span":
        assert all(one["context"][one["start"] : one["end"]] == one["prediction"] for one in found)


@pytest.mark.parametrize("kind", ["text", "pair", "choice", "number", "tagging", "span"])
@pytest.mark.parametrize(("words", "mode", "head"), [(True, "finetuned", "linear"), (False, "frozen", "bilstm")])
def test_models_of_vectors_and_on_frozen_encoders_answer(
    place: Path, words: bool, mode: str, head: str, kind: str
) -> None:
    ways: dict[str, Any] = {"modes": [mode], "heads": [head], "bilstm": BiLSTM(hidden=8, epochs=2), "seeds": [1]}
    scored, kept = trained(place, kind, words=words, **ways)
    dev = draw(kind, 30, 2)
    nothing = {key: "" if isinstance(value, str) else [] for key, value in dev[0].items() if key != "endings"}
    (place / "dev.jsonl").write_text("".join(json.dumps(one) + "\n" for one in [*dev, dev[0] | nothing]))
    said = predict("--model", kept, "--input", "dev.jsonl", "--output", "out.jsonl", "--batch", 7)
    assert "1 row has no text, and so no answer" in said.stderr
    *found, blank = [one["prediction"] for one in lines(place / "out.jsonl")]
    (expected,) = scored.predictions.values()
    if kind == "number":  # a block's last digits may be others than those of all at once
        assert found == pytest.approx([one["predicted"] for one in expected], abs=2e-6)
    else:
        assert found == [one["predicted"] for one in expected]
    assert blank == ([] if kind == "tagging" else None)


def test_all_kinds_of_files(models: Path, place: Path) -> None:
    texts = [one["text"] for one in draw("text", 9, 5)]
    texts[3] = 'The "film", said\tall, is ünruly\u2028'
    with (place / "in.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([["n", "sentence"], *([n, text] for n, text in enumerate(texts))])
    predict("-m", models / "text", "-i", "in.csv", "-o", "a.jsonl", "--field", "text=sentence")
    first = lines(place / "a.jsonl")
    assert [one["sentence"] for one in first] == texts
    assert list(first[0]) == ["n", "sentence", "prediction", "probability"]
    packed = {"in.jsonl.gz": gzip.compress, "in.jsonl.bz2": bz2.compress, "in.jsonl": bytes}
    content = "".join(json.dumps({"n": str(n), "sentence": t, "more": [n]}) + "\n" for n, t in enumerate(texts))
    for name, pack in packed.items():
        (place / name).write_bytes(pack(content.encode()))
        for ending in ("csv", "tsv", "parquet", "jsonl"):
            out = place / f"out.{ending}"
            predict("-m", models / "text", "-i", name, "-o", out, "--field", "text=sentence", "--batch", 4)
            read: list[dict[str, Any]]
            if ending == "parquet":
                read = pq.read_table(out).to_pylist()
                assert read[2]["more"] == [2]
            elif ending == "jsonl":
                read = lines(out)
            else:
                with out.open(newline="", encoding="utf-8") as stream:
                    read = list(csv.DictReader(stream, delimiter="\t" if ending == "tsv" else ","))
                assert read[2]["more"] == "[2]"
            assert [(one["sentence"], one["prediction"]) for one in read] == [
                (one["sentence"], one["prediction"]) for one in first
            ]
            assert [float(one["probability"]) for one in read] == pytest.approx(
                [one["probability"] for one in first], abs=2e-6
            )
    assert sorted(path.name for path in place.iterdir() if path.name.startswith(".")) == []


def test_lines_of_text_and_of_words(models: Path, place: Path) -> None:
    (place / "in.txt").write_bytes(b"\xef\xbb\xbfThe film is truly warm.\r\n\n The cast is rather dull.\n")
    said = predict("-m", models / "text", "-i", "in.txt", "-o", "out.jsonl")
    assert "1 row has no text, and so no answer" in said.stderr
    found = lines(place / "out.jsonl")
    assert [one["text"] for one in found] == ["The film is truly warm.", "", " The cast is rather dull."]
    assert found[1] == {"text": "", "prediction": None, "probability": None}
    assert found[0]["prediction"] in ("fresh", "rotten")
    (place / "words.txt").write_text("Igor left the Osaka\n\nMaria reached Lima .\n")
    predict("-m", models / "tagging", "-i", "words.txt", "-o", "out.csv")
    with (place / "out.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [len(json.loads(one["prediction"])) for one in rows] == [4, 0, 4]
    assert rows[2]["tokens"] == "Maria reached Lima ."


def test_endings_in_columns_and_the_next_best(models: Path, place: Path) -> None:
    drawn = draw("choice", 5, 3)
    rows = [[one["context"], *one["endings"]] for one in drawn]
    for header, more in (
        (["context", "ending0", "ending1", "ending2", "ending3"], []),
        (["start", "a", "b", "c", "d"], ["--field", "context=start", "--field", "endings=a,b,c,d"]),
    ):
        with (place / "in.csv").open("w", newline="") as stream:
            csv.writer(stream).writerows([header, *rows])
        predict("-m", models / "choice", "-i", "in.csv", "-o", "out.parquet", "-n", 2, *more)
        (place / "plain.jsonl").write_text("".join(json.dumps(one) + "\n" for one in drawn))
        predict("-m", models / "choice", "-i", "plain.jsonl", "-o", "plain.out.jsonl")
        found = pq.read_table(place / "out.parquet").to_pylist()
        assert [one["prediction"] for one in found] == [one["prediction"] for one in lines(place / "plain.out.jsonl")]
        assert [len(one["best"]) for one in found] == [2] * 5
        assert all(one["best"][0]["prediction"] == one["prediction"] for one in found)


def test_what_is_longer_than_a_model_reads_is_said(models: Path, place: Path) -> None:
    long, short = "the film " * 60, "the film"
    for kind, rows in (
        ("text", [{"text": long}, {"text": short}, {"text": long}]),
        ("pair", [{"first": short, "second": long}, {"first": long, "second": short}, {"first": short, "second": ""}]),
        ("tagging", [{"tokens": long.split()}, {"tokens": short.split()}, {"tokens": long.split()}]),
        ("choice", [{"context": long, "endings": ["a", "b"]}, {"context": "x", "endings": [short, long]}]),
    ):
        (place / "in.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
        said = predict("-m", models / kind, "-i", "in.jsonl", "-o", "out.jsonl", "--batch", 2)
        assert "2 rows have more than 32 tokens: what is behind them was not read" in said.stderr, kind
    (place / "in.jsonl").write_text(json.dumps({"text": short}) + "\n")
    assert "tokens: what" not in predict("-m", models / "text", "-i", "in.jsonl", "-o", "out.jsonl").stderr


def test_a_plain_bert_fills_and_encodes(models: Path, place: Path) -> None:
    texts = ["the film is [MASK] .", "[MASK] and [MASK]"]
    (place / "in.txt").write_text("\n".join(texts) + "\n")
    predict("-m", models / "plain", "--task", "fill", "-n", 3, "-i", "in.txt", "-o", "out.jsonl")
    for one, masks in zip(lines(place / "out.jsonl"), fill(bert(), texts, 3), strict=True):
        assert one["fillings"] == [[piece for piece, _ in mask] for mask in masks]
        assert one["probabilities"] == [[pytest.approx(share, abs=1e-5) for _, share in mask] for mask in masks]
    said = predict("-m", models / "plain", "--task", "encode", "-i", "in.txt", "-o", "out.parquet")
    assert said.stdout == "out.parquet: 2 rows\n"
    read = np.array(pq.read_table(place / "out.parquet")["vector"].to_pylist())
    np.testing.assert_allclose(read, encode(bert(), texts), atol=1e-5)
    (place / "long.txt").write_text("the film " * 60)
    said = predict("-m", models / "plain", "--task", "encode", "-i", "long.txt", "-o", "out.jsonl")
    assert "1 text has more than 64 tokens: what is behind them was not read" in said.stderr
    (place / "in.txt").write_text("the [MASK]\n\nthe film\n")
    with pytest.raises(DataError, match=r"in.txt, line 3: no \[MASK\] in the first 64 tokens"):
        predict("-m", models / "plain", "--task", "fill", "-i", "in.txt", "-o", "out2.jsonl")
    assert not (place / "out2.jsonl").exists()


def test_word_vectors_name_neighbours(models: Path, place: Path) -> None:
    (place / "in.txt").write_text("film\nqwertz\nOslo\n")
    said = predict("-m", models / "words", "--task", "neighbours", "-n", 2, "-i", "in.txt", "-o", "out.jsonl")
    found = lines(place / "out.jsonl")
    assert found[0]["neighbours"] == [word for word, _ in vectors().neighbours(["film"], 2)[0]]
    assert (found[1]["neighbours"], found[1]["similarities"]) == (None, None)
    assert len(found[2]["neighbours"]) == 2
    assert "1 not in the vocabulary, without an answer" in said.stderr
    predict("-m", models / "words", "--task", "encode", "-i", "in.txt", "-o", "out.parquet")
    read = pq.read_table(place / "out.parquet")["vector"].to_pylist()
    np.testing.assert_array_equal(np.array(read[0], np.float32), vectors()["film"])
    assert read[1] is None


@pytest.mark.parametrize("ending", ["jsonl", "csv", "tsv", "parquet"])
@pytest.mark.parametrize("source", ["empty.txt", "empty.csv", "empty.jsonl", "header.csv"])
def test_an_empty_file_gives_an_empty_one(models: Path, place: Path, source: str, ending: str) -> None:
    (place / source).write_text("id,text\n" if source == "header.csv" else "")
    said = predict("-m", models / "text", "-i", source, "-o", f"out.{ending}")
    assert said.stdout == f"out.{ending}: 0 rows; {source} is empty\n"
    columns = [*(["id", "text"] if source == "header.csv" else []), "prediction", "probability"]
    out = place / f"out.{ending}"
    if ending == "parquet":
        assert pq.read_table(out).column_names == columns
    else:
        separator = {"csv": ",", "tsv": "\t"}.get(ending)
        assert out.read_text() == ("" if separator is None else separator.join(columns) + "\n")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"text": "a film"}\n{"text": 3}\n', "in.jsonl, line 2: field 'text' holds a number, not text"),
        (
            b'{"text": "a film"}\n\n{"txt": "a"}\n',
            "line 3: no field 'text'; there are: txt; did you mean 'txt'? Say --field",
        ),
        (b'{"text": "a film"}\n[1]\n', "in.jsonl, line 2: expected a JSON object, found a list"),
        (b'{"text": "a film"}\n{"text": \n', "in.jsonl, line 2: not valid JSON"),
        (b'{"text": "a film"}\n{"text": "\xff"}\n', "in.jsonl, line 2: not UTF-8"),
        (b'{"text": "a", "prediction": 1}\n', "line 1: has a field 'prediction', and the answer has one of that name"),
    ],
)
def test_a_record_that_cannot_be_used_is_named_and_nothing_is_written(
    models: Path, place: Path, content: bytes, message: str
) -> None:
    (place / "in.jsonl").write_bytes(content)
    (place / "out.jsonl").write_text("from before")
    with pytest.raises(DataError) as error:
        predict("-m", models / "text", "-i", "in.jsonl", "-o", "out.jsonl", "--batch", 1)
    assert message in str(error.value)
    assert (place / "out.jsonl").read_text() == "from before"
    assert {path.name for path in place.iterdir()} == {"in.jsonl", "out.jsonl"}


def test_a_packed_file_that_ends_too_early(models: Path, place: Path) -> None:
    packed = gzip.compress(b"".join(b'{"text": "film %d"}\n' % n for n in range(3000)))
    (place / "in.jsonl.gz").write_bytes(packed[:-200])
    with pytest.raises(DataError, match=r"in.jsonl.gz: gzip ends too early: truncated"):
        predict("-m", models / "text", "-i", "in.jsonl.gz", "-o", "out.csv")
    assert not (place / "out.csv").exists()


def test_fields_that_change_on_the_way(models: Path, place: Path) -> None:
    rows = [{"text": "a film", "n": 1}, {"text": "a story", "m": 1}, {"text": "a cast", "n": "x"}]
    (place / "in.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    predict("-m", models / "text", "-i", "in.jsonl", "-o", "out.jsonl")
    assert [list(one) for one in lines(place / "out.jsonl")][1] == ["text", "m", "prediction", "probability"]
    for ending in ("csv", "parquet"):
        with pytest.raises(DataError, match=r"line 2: has other fields than the first record \(m, n\); write .jsonl"):
            predict("-m", models / "text", "-i", "in.jsonl", "-o", f"out.{ending}", "--batch", 1)
    (place / "in.jsonl").write_text("".join(json.dumps(one) + "\n" for one in (rows[0], rows[2])))
    with pytest.raises(DataError, match="line 2: field 'n' is int64 at the beginning of the file, and not in one of"):
        predict("-m", models / "text", "-i", "in.jsonl", "-o", "out.parquet", "--batch", 1)


def test_lone_surrogates_become_what_a_file_can_hold(models: Path, place: Path) -> None:
    (place / "in.jsonl").write_text('{"text": "a \\ud800 film", "more": {"\\udfff": ["\\ud800"]}}\n')
    for ending in ("jsonl", "csv", "parquet"):
        predict("-m", models / "text", "-i", "in.jsonl", "-o", f"out.{ending}")
    assert lines(place / "out.jsonl")[0]["more"] == {"\ufffd": ["\ufffd"]}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["-m", "text", "-i", "in.txt", "-o", "out.xlsx"],
            "out.xlsx: the ending says what is written: .jsonl, .csv, .tsv, .parquet; SQuAD's .json, and columns",
        ),
        (["-m", "text", "-i", "in.doc", "-o", "o.csv"], "in.doc: the ending says what is read: .txt, .csv, .tsv"),
        (["-m", "text", "-i", "none.txt", "-o", "o.csv"], "none.txt: no such file"),
        (["-m", "pair", "-i", "in.txt", "-o", "o.csv"], "in.txt: a line has one text, and first and second are read"),
        (["-m", "text", "-i", "in.csv", "-o", "in.csv"], "in.csv: is the input; name another file to write"),
        (
            ["-m", "text", "-i", "in.csv", "-o", "o.csv"],
            "line 2: no field 'text'; there are: sentence. Say --field text=COLUMN",
        ),
        (["-m", "text", "-i", "in.csv", "-o", "o.csv", "--field", "text=x"], "line 2: no field 'x'; there are"),
        (["-m", "text", "-i", "in.csv", "-o", "o.csv", "--field", "txt=x"], "--field txt: this model reads text"),
        (["-m", "text", "-i", "in.csv", "-o", "o.csv", "--field", "text"], "--field text: write NAME=COLUMN"),
        (["-m", "text", "-i", "in.txt", "-o", "o.csv", "--task", "fill"], "--task fill: text has a task of its own"),
        (
            ["-m", "plain", "-i", "in.txt", "-o", "o.csv"],
            "plain holds a BERT that was fine-tuned for no task; say --ta",
        ),
        (
            ["-m", "words", "-i", "in.txt", "-o", "o.csv", "--task", "fill"],
            "--task fill: words holds word vectors; say",
        ),
        (["-m", "words", "-i", "in.txt", "-o", "o.csv", "--task", "encode", "-n", "2"], "--best 2: a vector is one"),
        (["-m", "tagging", "-i", "in.txt", "-o", "o.csv", "-n", "2"], "--best 2: a tagging model gives one answer"),
        (["-m", "none", "-i", "in.txt", "-o", "o.csv"], "none: no such folder, and this is not a Firth project"),
    ],
)
def test_what_cannot_be_is_said(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for kind in ("text", "pair", "tagging", "plain", "words"):
        (tmp_path / kind).symlink_to(models / kind)
    (tmp_path / "in.txt").write_text("a film\n")
    (tmp_path / "in.csv").write_text("sentence\na film\n")
    with pytest.raises(FirthError) as error:
        predict(*arguments)
    assert message in str(error.value)
    assert not (tmp_path / "o.csv").exists()


def test_several_models_answer_together(models: Path, place: Path) -> None:
    _, other = trained(place / "other", "text", words=True, seeds=[1])
    (place / "in.jsonl").write_text("".join(json.dumps({"text": one["text"]}) + "\n" for one in draw("text", 20, 2)))
    for name, members in (("a", [models / "text"]), ("b", [other]), ("both", [models / "text", other])):
        predict(*(part for one in members for part in ("-m", one)), "-i", "in.jsonl", "-o", f"{name}.jsonl", "-n", 2)
    answers = [lines(place / f"{name}.jsonl") for name in ("a", "b", "both")]
    odds = [[np.log(shares(one)["fresh"] / shares(one)["rotten"]) for one in each] for each in answers]
    np.testing.assert_allclose(odds[2], (np.array(odds[0]) + odds[1]) / 2, atol=1e-3)
    for arguments, message in (
        (["-m", models / "text", "-m", models / "pair"], "pair is a pair model, "),
        (["-m", models / "text", "-m", models / "plain"], "plain: is no kept model, and only these answer together"),
        (["-m", models / "text", "-m", models / "text"], "--model names a model twice"),
    ):
        with pytest.raises(FirthError, match=message):
            predict(*arguments, "-i", "in.jsonl", "-o", "no.jsonl")
        assert not (place / "no.jsonl").exists()


def shares(answer: dict[str, Any]) -> dict[str, float]:
    return {one["prediction"]: one["probability"] for one in answer["best"]}
