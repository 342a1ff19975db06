"""What dvc.lock records, and files that only look like one."""

from __future__ import annotations

from pathlib import Path

import pytest

from firth.errors import IntegrityError
from firth.lockfile import Locked, output_hash, read_lock, upstream_outputs

TEXT = """schema: '2.0'
stages:
  words:
    cmd: python -m words
    deps:
    - path: data/corpus/text.txt
      hash: md5
      md5: aaaa
      size: 3
    - path: src/words.py
      hash: md5
      md5: bbbb
    params:
      params.yaml:
        words: {minimum: 2}
    outs:
    - path: data/words
      hash: md5
      md5: cccc.dir
      size: 3
      nfiles: 2
    - path: data/words.json
      md5: dddd
  prepare:
    cmd: python -m prepare
    outs:
    - path: data/corpus
      md5: eeee.dir
  other:
    cmd: python -m other
    outs:
    - path: data/wordsmith
      md5: ffff
  bare:
    cmd: echo
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "dvc.lock").write_text(TEXT, encoding="utf-8")
    return tmp_path


def test_each_stage_has_what_it_read_and_wrote(root: Path) -> None:
    lock = read_lock(root)
    assert list(lock) == ["words", "prepare", "other", "bare"]
    assert lock["words"] == Locked(
        ("data/corpus/text.txt", "src/words.py"), {"data/words": "cccc.dir", "data/words.json": "dddd"}
    )
    assert lock["words"].data == ["data/corpus/text.txt"]
    assert lock["bare"] == Locked((), {})
    assert output_hash(lock, "data/corpus") == "eeee.dir"
    assert output_hash(lock, "data/corpus/text.txt") is None


def test_upstream_is_what_lies_above_or_below_a_path(root: Path) -> None:
    lock = read_lock(root)
    words = {"data/words": "cccc.dir", "data/words.json": "dddd"}
    assert upstream_outputs(lock, ["data/words/shard-0"]) == {"prepare": {"data/corpus": "eeee.dir"}, "words": words}
    assert set(upstream_outputs(lock, ["data"])) == {"words", "prepare", "other"}
    assert upstream_outputs(lock, ["data/word"]) == {}


def test_a_folder_without_one_has_no_stages(tmp_path: Path) -> None:
    assert read_lock(tmp_path) == {}
    (tmp_path / "dvc.lock").write_text("")
    assert read_lock(tmp_path) == {}
    (tmp_path / "dvc.lock").write_text("schema: '2.0'\n")
    assert read_lock(tmp_path) == {}


@pytest.mark.parametrize(
    "text",
    [
        "[]", "words", "stages: [1]", "stages:", "stages:\n  a: 1", "stages:\n  a:\n    outs: 3",
        "stages:\n  a:\n    outs:\n    - md5: x", "stages:\n  a:\n    outs:\n    - path: x",
        "stages:\n  a:\n    deps:\n    - x",
    ],
)  # fmt: skip
def test_a_file_of_another_shape_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "dvc.lock").write_text(text)
    with pytest.raises(IntegrityError, match=r"dvc\.lock: not as DVC writes it; take it from git"):
        read_lock(tmp_path)


def test_a_torn_file_is_named_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "dvc.lock").write_text("stages: {a: [", encoding="utf-8")
    with pytest.raises(IntegrityError, match=r"dvc\.lock: not valid YAML \(.*line 2, column 1\)$"):
        read_lock(tmp_path)


def test_a_lock_that_names_code_runs_none_of_it(tmp_path: Path) -> None:
    (tmp_path / "dvc.lock").write_text(f"stages: !!python/object/apply:os.mkdir ['{tmp_path / 'made'}']\n")
    with pytest.raises(IntegrityError, match=r"dvc\.lock: not valid YAML"):
        read_lock(tmp_path)
    assert not (tmp_path / "made").exists()
