"""`firth tokenize` in an empty folder: files in, a token store out; one line for each error."""

from __future__ import annotations

import json
import pydoc_data.topics
from pathlib import Path

import pytest
from typer.testing import CliRunner

from firth.cli import app
from firth.errors import ConfigError, DataError, FirthError
from firth.wordpiece.store import TokenStore
from firth.wordpiece.tokenizer import Tokenizer

TEXTS = [pydoc_data.topics.topics[name] for name in sorted(pydoc_data.topics.topics)][:60]


def firth(*arguments: str) -> str:
    """What the command prints; its errors are raised."""
    result = CliRunner().invoke(app, ["tokenize", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is no project, with real text as JSON Lines and as plain files."""
    lines = [json.dumps({"body": text, "n": n}) for n, text in enumerate(TEXTS)]
    (tmp_path / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "plain").mkdir()
    for number, text in enumerate(TEXTS[:30]):
        (tmp_path / "plain" / f"{number:02d}.txt").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FIRTH_STATE", raising=False)
    return tmp_path


JSONL = ("--input", "a.jsonl", "--text-field", "body", "--heldout-share", "0.1")


def test_files_become_a_store_with_a_vocabulary_of_their_own(here: Path) -> None:
    printed = firth(*JSONL, "--to", "out/store", "--vocabulary", "1500")
    store = TokenStore.open(here / "out/store")
    assert len(store.tokenizer) == 1500
    assert store.tokenizer.lowercase
    assert store.train.documents + store.heldout.documents == 60
    assert 0 < store.heldout.documents < 20
    assert store.train.sentences > 500
    assert "1500 pieces" in printed
    assert "tokenize train" in printed
    assert [path.name for path in (here / "out").iterdir()] == ["store"]
    ids = store.heldout.shards[0].ids
    assert store.tokenizer.text(ids[:40].tolist()).split()[0] in " ".join(TEXTS).lower()


def test_the_same_files_give_the_same_bytes_and_the_seed_another_order(here: Path) -> None:
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        firth(*JSONL, "--to", name, "--vocabulary", "900", "--seed", seed)
    digests = [TokenStore.open(here / name).digest for name in "abc"]
    assert digests[0] == digests[1] != digests[2]


def test_a_given_tokenizer_is_used_as_it_is(here: Path) -> None:
    firth("--input", "plain/*.txt", "--to", "first", "--vocabulary", "900", "--cased", "--heldout-share", "0.2")
    first = TokenStore.open(here / "first")
    assert not first.tokenizer.lowercase
    assert not first.tokenizer.strip_accents
    firth(*JSONL, "--to", "second", "--tokenizer", "first/tokenizer")
    assert TokenStore.open(here / "second").tokenizer.sha256 == first.tokenizer.sha256
    with pytest.raises(ConfigError, match="--tokenizer brings its own"):
        firth(*JSONL, "--to", "third", "--tokenizer", "first/tokenizer", "--cased")
    with pytest.raises(DataError, match="plain: holds neither"):
        firth(*JSONL, "--to", "third", "--tokenizer", "plain")


def test_plain_text_may_be_cut_into_smaller_documents(here: Path) -> None:
    counts = {}
    for documents in ("file", "paragraph"):
        firth(
            "--input", "plain/*.txt", "--to", documents, "--vocabulary", "900", "--documents", documents,
            "--heldout-share", "0.2",
        )  # fmt: skip
        counts[documents] = TokenStore.open(here / documents).train.documents
    assert counts["file"] < 30 < counts["paragraph"]
    with pytest.raises(DataError, match=r"of 1 documents none falls.*--documents paragraph"):
        firth("--input", "plain/01.txt", "--to", "one", "--heldout-share", "0.001")
    firth("--input", "plain/01.txt", "--to", "one", "--vocabulary", "300", "--heldout-share", "0")
    assert TokenStore.open(here / "one").heldout.shards == []


def test_nothing_is_overwritten(here: Path) -> None:
    (here / "full").mkdir()
    (here / "full" / "thesis.txt").write_text("mine")
    for taken in ("full", "a.jsonl"):
        with pytest.raises(ConfigError, match=f"{taken}: already there"):
            firth(*JSONL, "--to", taken)
    assert (here / "full" / "thesis.txt").read_text() == "mine"
    (here / "empty").mkdir()
    firth(*JSONL, "--to", "empty", "--vocabulary", "900")
    assert TokenStore.open(here / "empty")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--input", "nix.txt"], "'nix.txt': no such file"),
        (["--input", "plain"], "is a folder"),
        (["--input", "a.jsonl"], r"a\.jsonl, line 1: no field 'text'.*body"),
        (["--input", "a.jsonl", "--input", "plain/01.txt"], "files of one format"),
        (["--input", "a.jsonl", "--format", "docx"], "--format 'docx'.*parquet"),
        (["--input", "plain/*.txt", "--heldout-share", "0.0001"], "none falls into the held-out share"),
    ],
)
def test_errors_are_one_line_and_leave_nothing(here: Path, arguments: list[str], message: str) -> None:
    before = sorted(here.iterdir())
    with pytest.raises(FirthError, match=message):
        firth(*arguments, "--to", "out")
    assert sorted(here.iterdir()) == before


def test_what_cannot_be_text_is_left_out_and_said(here: Path) -> None:
    records = [{"text": text} for text in TEXTS] + [{"text": None}, {"text": "…!"}, {"text": "x" * 5000}]
    (here / "b.jsonl").write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    printed = firth("--input", "b.jsonl", "--to", "out", "--vocabulary", "900", "--heldout-share", "0.1")
    for reason in ("no text (null)", "no letter or digit", "a word of over 200 characters"):
        assert f"dropped 1 — {reason}" in printed
    Tokenizer.load(here / "out" / "tokenizer")
