"""Canonical JSON, atomic writes and digests."""

from pathlib import Path

import pytest

from firth.canonical import dumps, folder_sha256, read_json, value_sha256, write_atomic, write_json
from firth.errors import IntegrityError


def test_json_does_not_depend_on_the_order_of_keys() -> None:
    assert dumps({"b": 1, "a": "é"}) == dumps({"a": "é", "b": 1}) == '{\n  "a": "é",\n  "b": 1\n}\n'
    assert value_sha256({"b": 1, "a": 2}) == value_sha256({"a": 2, "b": 1}) != value_sha256({"a": 2, "b": 2})


def test_not_a_number_is_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        dumps({"loss": float("nan")})


def test_a_failed_write_leaves_the_old_bytes(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    write_json(path, {"step": 1})
    with pytest.raises(TypeError):
        write_atomic(path, "text is not bytes")  # type: ignore[arg-type]
    assert read_json(path) == {"step": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["state.json"]


def test_a_torn_or_missing_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "torn.json").write_text('{"a": ')
    with pytest.raises(IntegrityError, match=r"torn\.json: not valid JSON"):
        read_json(tmp_path / "torn.json")
    with pytest.raises(IntegrityError, match=r"absent\.json: no such file"):
        read_json(tmp_path / "absent.json")


def test_a_folder_digest_sees_names_and_bytes_but_no_bytecode(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    before = folder_sha256(tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_bytes(b"\0")
    assert folder_sha256(tmp_path) == before
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    assert folder_sha256(tmp_path) != before
