"""`prepare` on whole projects: what is kept, what is dropped and counted, and that the bytes stay the same."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.support.text_project import approve, contents, lines, make_text_project

from firth.canonical import read_json
from firth.errors import DataError, FirthError
from firth.shards import CORPUS_SCHEMA, read_shards
from firth.stages import ingest
from firth.stages.prepare import main
from firth.tasks.examples.files import write

WORDS = [f"{a}{b}{c}" for a in "bdfgk" for b in "aeiou" for c in ["l", "m", "nd", "rt", "st"]]


def story(seed: int, words: int = 60) -> str:
    chosen = random.Random(seed).choices(WORDS, k=words)
    return ". ".join(" ".join(chosen[at : at + 10]).capitalize() for at in range(0, words, 10)) + "."


def plant(root: Path, name: str, dev_text: str) -> dict:
    """Examples of a task in data/examples, and the task's parameters."""
    example = {"id": "1", "text": dev_text, "label": "x"}
    write(root / "data/examples" / name, {"train": [], "dev": [example]}, {"kind": "text"})
    file = {"kind": "files", "path": "a.csv", "sha256": "0" * 64}
    return {
        "kind": "text", "title": "t", "licence": "l", "attribution": "a", "train": file, "format": "csv",
    }  # fmt: skip


def ready(*corpora: str) -> None:
    for corpus in corpora:
        ingest.main([corpus])
        approve(corpus)


def prepared(side: str) -> list[dict]:
    shards = read_json(Path("data/corpus/manifest.json"))["shards"]
    return list(read_shards(Path("data/corpus"), [entry for entry in shards if entry["file"].startswith(f"{side}/")]))


def test_every_document_is_kept_or_counted(tmp_path: Path, monkeypatch, capsys):
    plain = [story(seed) for seed in range(200)]
    odd = [
        plain[3].upper(),  # the same text
        plain[4] + " And more.",  # nearly the same
        "Too short",
        "x" * 10_000_000,
        "— – — – — –",
        "",
        'Itâ€™s a <b>fine</b> day for the cafÃ©\x00 by the river. "Come in," she said.',
    ]
    make_text_project(tmp_path, monkeypatch, {"b": {"a.jsonl": lines(*odd)}, "a": {"a.jsonl": lines(*plain)}})
    ready("a", "b")
    main([])
    drops = read_json(Path("data/corpus/drops.json"))
    assert [(row["source"], row["reason"], row["documents"], row["words"]) for row in drops["table"]] == [
        ("b", "a word of over 200 characters", 1, 1),
        ("b", "duplicate", 1, 60),
        ("b", "fewer than 5 words", 2, 2),
        ("b", "near-duplicate", 1, 62),
        ("b", "no letter or digit", 1, 6),
    ]
    examples = {row["reason"]: row["example"] for row in drops["table"]}
    assert examples["duplicate"].startswith("b-0000001: equal to a-0000004: ")
    assert examples["near-duplicate"].startswith("b-0000002: similar to a-0000005: ")
    assert all(len(example) <= 120 for example in examples.values())
    train, heldout = prepared("train"), prepared("heldout")
    kept = drops["kept"]
    assert kept["a"]["documents"] == 200 == kept["a"]["train"] + kept["a"]["heldout"]
    assert kept["b"]["documents"] == 1
    assert len(train) == kept["a"]["train"] + kept["b"]["train"]
    assert len(heldout) == kept["a"]["heldout"] + kept["b"]["heldout"] > 0
    manifest = read_json(Path("data/corpus/manifest.json"))
    assert manifest["words"] == kept["a"]["words"] + kept["b"]["words"] == sum(s["words"] for s in manifest["shards"])
    assert manifest["train"]["documents"] == len(train)
    assert pq.read_schema("data/corpus/train/shard-00000.parquet").equals(CORPUS_SCHEMA)
    (mended,) = [document for document in train + heldout if document["source"] == "b"]
    assert mended["sentences"] == ["It's a fine day for the café by the river.", '"Come in," she said.']
    assert "dropped 2 (2 words) — fewer than 5 words" in capsys.readouterr().out


def test_the_bytes_depend_on_the_input_alone_and_a_side_on_its_text_alone(tmp_path: Path, monkeypatch):
    texts = [story(seed) for seed in range(400)]
    heldout = {}
    for name, some in (("all", texts), ("half", texts[::2])):
        for again in ("", "-again"):
            make_text_project(tmp_path / f"{name}{again}", monkeypatch, {"notes": {"a.jsonl": lines(*some)}})
            ready("notes")
            main([])
        assert contents(tmp_path / name / "data") == contents(tmp_path / f"{name}-again" / "data")
        heldout[name] = {tuple(document["sentences"]) for document in prepared("heldout")}
    sides = {tuple(document["sentences"]) for document in prepared("train")} | heldout["half"]
    assert heldout["half"] == heldout["all"] & sides
    assert len(heldout["half"]) >= 1


def test_paragraphs_bound_sentences(tmp_path: Path, monkeypatch):
    make_text_project(
        tmp_path, monkeypatch, {"notes": {"a.jsonl": lines("A heading of five words\n\nthen the text begins here.")}}
    )
    ready("notes")
    main([])
    (document,) = prepared("train") + prepared("heldout")
    assert document["sentences"] == ["A heading of five words", "then the text begins here."]


def test_large_corpora_make_several_shards(tmp_path: Path, monkeypatch):
    texts = [story(seed, 2000) for seed in range(150)]
    make_text_project(tmp_path, monkeypatch, {"notes": {"a.jsonl": lines(*texts)}}, prepare={"shard_megabytes": 1})
    ready("notes")
    main([])
    assert [path.name for path in sorted(Path("data/corpus/train").iterdir())] == [
        "shard-00000.parquet",
        "shard-00001.parquet",
    ]


def test_only_validated_corpora_are_prepared_and_a_failure_leaves_the_corpus(tmp_path: Path, monkeypatch):
    make_text_project(tmp_path, monkeypatch, {"notes": {"a.jsonl": lines(*map(story, range(30)))}})
    ingest.main(["notes"])
    with pytest.raises(DataError, match=r"corpus notes was not validated; run the stage validate@notes"):
        main([])
    approve("notes")
    main([])
    before = contents(Path("data/corpus"))
    approve("notes", success=False)
    with pytest.raises(DataError, match=r"corpus notes did not pass validation \(enough words\)"):
        main([])
    assert contents(Path("data/corpus")) == before


def test_nothing_left_to_train_on_is_an_error_with_the_reasons(tmp_path: Path, monkeypatch):
    make_text_project(tmp_path, monkeypatch, {"notes": {"a.jsonl": lines("Too short", "x" * 300)}})
    ready("notes")
    with pytest.raises(
        DataError, match=r"no document is left.*1 of notes: a word of over 200 characters, 1 of notes: few"
    ):
        main([])
    assert sorted(path.name for path in Path("data").iterdir()) == ["raw", "validation"]


def test_an_article_with_a_dev_passage_loses_exactly_it(tmp_path: Path, monkeypatch, capsys):
    passage = "The ferry crosses the sound twice a day. In winter, when ice lies on the water, it stays in the harbour."
    planted = [story(seed) for seed in range(300)]
    planted[5] += f" As was said: {passage} " + story(1005)
    planted[6] = f"{passage} Short rest."
    root = make_text_project(
        tmp_path, monkeypatch, {"a": {"a.jsonl": lines(*planted)}}, prepare={"near_duplicates": False}
    )
    params = json.loads((root / "params.yaml").read_text())
    (root / "data/examples").mkdir(parents=True)
    params["tasks"] = {
        "ferries": plant(root, "ferries", passage),
        "others": plant(root, "others", "no such words here"),
    }
    plant(root, "removed", planted[9])  # of a task that the parameters no longer name
    (root / "params.yaml").write_text(json.dumps(params))
    ready("a")
    main([])
    documents = {row["doc_id"]: row["sentences"] for row in prepared("train") + prepared("heldout")}
    assert len(documents) == 299
    assert documents["a-0000006"] == [f"{part}." for part in f"{story(5)} {story(1005)}".rstrip(".").split(". ")]
    table = read_json(Path("data/corpus/drops.json"))["table"]
    assert [(row["reason"], row["documents"], row["words"]) for row in table] == [
        ("fewer than 5 words beside dev texts", 1, 2),
        ("sentences sharing 13 words in a row with a dev text of ferries", 2, 2 * 21 + 3),
    ]
    assert table[1]["example"].startswith("a-0000006: As was said: The ferry")
    assert "dropped 2 (" in capsys.readouterr().out

    params["prepare"]["decontamination_words"] = 0
    (root / "params.yaml").write_text(json.dumps(params))
    main([])
    assert {row["doc_id"] for row in prepared("train") + prepared("heldout")} >= {"a-0000007"}
    params["prepare"]["decontamination_words"] = 13
    params["tasks"]["absent"] = params["tasks"]["others"]
    (root / "params.yaml").write_text(json.dumps(params))
    with pytest.raises(FirthError, match=r"data/examples/absent/manifest\.json: no such file"):
        main([])
