"""`ingest@C` on whole projects: what it writes, what it refuses, what a failure leaves behind."""

from __future__ import annotations

import bz2
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.support.text_project import contents, lines, make_text_project

from firth.canonical import read_json
from firth.errors import ConfigError, DataError
from firth.shards import RAW_SCHEMA, read_shards
from firth.stages.ingest import main
from firth.textkeys import reserved_for_evaluation

TEXTS = [f"Story {number} tells of a fox that crosses a river by night." for number in range(300)]


def test_documents_manifest_and_a_second_run(tmp_path: Path, monkeypatch, capsys):
    make_text_project(tmp_path, monkeypatch, {"notes": {"b.jsonl": lines("Last one."), "a.jsonl": lines(*TEXTS)}})
    main(["notes"])
    folder = Path("data/raw/notes")
    manifest = read_json(folder / "manifest.json")
    assert pq.read_schema(folder / "shard-00000.parquet").equals(RAW_SCHEMA)
    documents = list(read_shards(folder, manifest["shards"]))
    assert documents[0] == {"doc_id": "notes-0000001", "source": "notes", "title": "", "text": TEXTS[0]}
    assert documents[-1]["doc_id"] == "notes-0000301"
    assert [document["text"] for document in documents] == [*TEXTS, "Last one."]
    assert (manifest["documents"], manifest["words"], manifest["drops"]) == (301, 3602, [])
    assert (manifest["corpus"], manifest["source"]["paths"]) == ("notes", ["texts/notes/*"])
    assert "301 documents, 3602 words" in capsys.readouterr().out
    before = contents(folder)
    main(["notes"])
    assert contents(folder) == before


def test_an_evaluation_s_share_stays_out_and_a_passage_counts_once(tmp_path: Path, monkeypatch):
    asked = {"notes": {"a.jsonl": lines(*TEXTS, *TEXTS[:50])}}
    make_text_project(tmp_path, monkeypatch, asked, sources={"notes": {"evaluation_share": 0.2}})
    main(["notes"])
    manifest = read_json(Path("data/raw/notes/manifest.json"))
    kept = [document["text"] for document in read_shards(Path("data/raw/notes"), manifest["shards"])]
    reserved = [text for text in TEXTS if reserved_for_evaluation(text, 0.2)]
    assert kept == [text for text in TEXTS if text not in reserved]
    assert len(reserved) > 30
    assert manifest["drops"] == [
        {"reason": "repeated passage", "documents": 50, "example": f"a.jsonl:301: {TEXTS[0]}"},
        {
            "reason": "reserved for evaluation",
            "documents": len(reserved),
            "example": f"a.jsonl:{TEXTS.index(reserved[0]) + 1}: {reserved[0]}",
        },
    ]


def test_repeats_are_kept_where_no_evaluation_shares_the_source(tmp_path: Path, monkeypatch):
    make_text_project(tmp_path, monkeypatch, {"notes": {"a.jsonl": lines("Twice told.", "Twice told.")}})
    main(["notes"])
    assert read_json(Path("data/raw/notes/manifest.json"))["documents"] == 2


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.jsonl", b"", r"texts/notes/a\.jsonl: empty file"),
        ("a.jsonl.bz2", bz2.compress(lines(*TEXTS))[:-30], "truncated"),
        ("a.jsonl", b'{"text": "caf\xe9"}', "line 1: not UTF-8"),
        ("a.jsonl", lines(*TEXTS) + b'{"body": "x"}\n', "line 301: no field 'text'"),
        ("a.jsonl", lines("", "  "), r"corpora\.notes: the source holds no text"),
    ],
)
def test_a_failing_run_leaves_the_earlier_output_as_it_was(tmp_path: Path, monkeypatch, name, data, message):
    make_text_project(tmp_path, monkeypatch, {"notes": {"a.jsonl": lines("All is well.")}})
    main(["notes"])
    before = contents(Path("data"))
    for old in Path("texts/notes").iterdir():
        old.unlink()
    make_text_project(tmp_path, monkeypatch, {"notes": {name: data}})
    with pytest.raises(DataError, match=message):
        main(["notes"])
    assert contents(Path("data")) == before
    assert [path.name for path in Path("data").iterdir()] == ["raw"]


def test_an_unknown_corpus_is_named(tmp_path: Path, monkeypatch):
    make_text_project(tmp_path, monkeypatch, {"notes": {"a.jsonl": lines("All is well.")}})
    for argv in (["nots"], [], ["notes", "notes"]):
        with pytest.raises(ConfigError, match="name one corpus of notes"):
            main(argv)


@pytest.mark.slow
def test_as_dvc_runs_it_an_error_is_one_line_and_exit_one(tmp_path: Path, monkeypatch):
    make_text_project(tmp_path, monkeypatch, {"notes": {"a.jsonl": b'{"body": 1}\n'}})
    source = Path(__file__).parents[2] / "src"
    ended = subprocess.run(
        [sys.executable, "-m", "firth.stages.ingest", "notes"],
        capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": str(source)},
    )  # fmt: skip
    assert ended.returncode == 1
    assert ended.stderr == "error: texts/notes/a.jsonl, line 1: no field 'text'; there are: body\n"
