"""Globs, pins and descriptions of local files."""

from __future__ import annotations

from pathlib import Path

import pytest

from firth.config.load import check, parse, preset_text
from firth.corpus.sources import open_source
from firth.corpus.sources.files import describe_files, find_files, guess_format, pin_files
from firth.errors import ConfigError, DataError


def write(folder: Path, **files: str) -> None:
    folder.mkdir(exist_ok=True, parents=True)
    for name, text in files.items():
        (folder / f"{name}.txt").write_text(text)


def test_a_pin_names_files_and_bytes_but_no_folder(project: Path, tmp_path: Path):
    write(project / "one", a="A", b="B")
    write(tmp_path / "two", a="A", b="B")
    pin = pin_files(["one/*.txt"], project)
    assert pin == pin_files([f"{tmp_path}/two/b.txt", f"{tmp_path}/two/a.txt"], project)
    write(tmp_path / "two", b="b")
    assert pin != pin_files([f"{tmp_path}/two/*.txt"], project)
    (project / "one" / "b.txt").rename(project / "one" / "c.txt")
    assert pin != pin_files(["one/*.txt"], project)


def test_a_file_that_two_patterns_match_counts_once_and_literal_names_win(project: Path):
    write(project / "x", a="A")
    (project / "x" / "[a].txt").write_text("odd")
    assert find_files(["x/*.txt", "x/a.txt", "x/../x/a.txt"]) == [project / "x/[a].txt", project / "x/a.txt"]
    assert find_files(["x/[a].txt"]) == [project / "x/[a].txt"]


def test_a_recursive_glob(project: Path):
    write(project / "x" / "y" / "z", a="A")
    assert find_files(["x/**/*.txt"]) == [project / "x/y/z/a.txt"]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("none/*.txt", "glob matches no file"),
        ("none.txt", "no such file"),
        ("x", r"is a folder.*x/\*\.txt"),
        ("../*.zip", "glob matches no file"),
    ],
)
def test_a_pattern_that_matches_nothing_is_an_error(project: Path, pattern, message):
    write(project / "x", a="A")
    with pytest.raises(DataError, match=message):
        find_files([pattern])


def test_a_worktree_finds_the_clone_s_untracked_files(project: Path, tmp_path: Path, monkeypatch):
    write(project / "texts", a="from the clone")
    entry = describe_files(["texts/*.txt"], licence="CC0", attribution="tests")
    worktree = tmp_path / "worktree"
    worktree.mkdir()
    monkeypatch.chdir(worktree)
    monkeypatch.setenv("FIRTH_STATE", str(project / ".firth"))
    tree = parse(preset_text("demo"), "demo")
    tree["corpora"] = {"notes": entry}
    source = check(tree, "test").corpora["notes"]
    assert [document.text for document in open_source("notes", source).documents] == ["from the clone"]


def test_a_description_is_relative_to_the_project_where_it_can_be(project: Path, tmp_path: Path, monkeypatch):
    write(project / "sub", a="A")
    write(tmp_path / "outside", b="B")
    monkeypatch.chdir(project / "sub")
    entry = describe_files(["*.txt", "../../outside/b.txt"], licence="CC0", attribution="tests")
    assert entry["paths"] == ["sub/*.txt", str(tmp_path / "outside" / "b.txt")]
    assert entry["sha256"] == pin_files(entry["paths"], project)
    assert entry["format"] == "text"
    assert "text_field" not in entry


def test_formats_by_ending(project: Path):
    assert guess_format([Path("a.JSONL.zst"), Path("b.ndjson")]) == "jsonl"
    assert guess_format([Path("dump.xml.bz2")]) == "mediawiki"
    with pytest.raises(ConfigError, match=r"a\.txt \(text\), b\.csv \(csv\).*--format"):
        guess_format([Path("a.txt"), Path("b.csv")])
    with pytest.raises(ConfigError, match=r"no format goes with the ending '\.docx'.*text, jsonl, csv"):
        guess_format([Path("a.docx")])
    with pytest.raises(ConfigError, match=r"\(none\)"):
        guess_format([Path("README")])
