"""The stage `examples@T`: a folder that is whole or not there, for a task of the parameters."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from tests.support.text_project import contents, make_text_project

from firth.errors import ConfigError, DataError
from firth.stages.examples import main
from firth.tasks.examples.files import load


def project(root: Path, monkeypatch: pytest.MonkeyPatch, lines: list[str]) -> Path:
    make_text_project(root, monkeypatch, {"a": {"a.jsonl": b""}})
    data = "\n".join(["text\tlabel", *lines]).encode()
    (root / "mail.tsv").write_bytes(data)
    params = json.loads((root / "params.yaml").read_text())
    params["tasks"] = {
        "mail": {
            "kind": "text",
            "title": "Mail",
            "licence": "CC0",
            "attribution": "tests",
            "train": {"kind": "files", "path": "mail.tsv", "sha256": hashlib.sha256(data).hexdigest()},
            "format": "tsv",
        }
    }
    (root / "params.yaml").write_text(json.dumps(params))
    return root


MAIL = [f"Message {n}\t{'bill' if n % 2 else 'crash'}" for n in range(60)]


def test_a_task_of_the_parameters_is_built(tmp_path: Path, monkeypatch, capsys) -> None:
    project(tmp_path, monkeypatch, [*MAIL, "Unlabelled\t"])
    main(["mail"])
    found = load(Path("data/examples/mail"))
    assert len(found.train) + len(found.dev) == 60
    assert sorted(found.manifest) == [
        "attribution", "available", "files", "kind", "labels", "left_out", "length", "licence", "metric", "published",
        "source_sha256", "task", "title",
    ]  # fmt: skip
    said = capsys.readouterr().out
    assert "examples mail: left out 1 — no label (such as Unlabelled)" in said
    assert f"examples mail: {len(found.dev)} of {len(found.dev)} to score on" in said
    before = contents(Path("data/examples"))
    main(["mail"])
    assert contents(Path("data/examples")) == before
    assert sorted(path.name for path in Path("data").iterdir()) == ["examples"]


def test_the_files_lie_in_the_clone_of_a_flow_run_s_worktree(tmp_path: Path, monkeypatch) -> None:
    clone = project(tmp_path / "clone", monkeypatch, MAIL)
    worktree = tmp_path / "worktree"
    worktree.mkdir()
    (worktree / "params.yaml").write_bytes((clone / "params.yaml").read_bytes())
    monkeypatch.chdir(worktree)
    monkeypatch.setenv("FIRTH_STATE", str(clone / ".firth"))
    main(["mail"])
    assert load(worktree / "data/examples/mail").manifest["task"] == "mail"


def test_what_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch) -> None:
    project(tmp_path, monkeypatch, [*MAIL, " \tbill"])
    with pytest.raises(DataError, match=r"mail\.tsv, line 62: field 'text' is empty"):
        main(["mail"])
    assert not list(Path("data").iterdir())
    for argv in ([], ["mails"], ["mail", "mail"]):
        with pytest.raises(ConfigError, match="name one task of mail"):
            main(argv)
