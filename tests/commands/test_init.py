"""`firth init`: one's own text becomes a project of its measure, or one clear error and no change."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from firth.cli import app
from firth.config import load_params
from firth.config.load import preset_text
from firth.errors import ConfigError, DataError, FirthError

SUBJECTS = (
    "The harbour pilot",
    "An old fisherman",
    "The customs officer",
    "Her younger brother",
    "The lighthouse keeper",
)
ACTIONS = (
    "guided the vessel",
    "watched the weather",
    "measured the channel",
    "repaired the engine",
    "counted the barrels",
)
PLACES = ("along the northern coast", "near the broken bridge", "before the autumn storm", "behind the fortress walls")
SENTENCES = [f"{who} {did} {where}." for who in SUBJECTS for did in ACTIONS for where in PLACES]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A committed project folder with the demo's parameters."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "dvc.yaml").write_text("stages: {}\n")
    (folder / "params.yaml").write_text(preset_text("demo"), encoding="utf-8")
    for command in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a project"],
    ):
        subprocess.run(["git", *command], cwd=folder, check=True)
    monkeypatch.chdir(folder)
    return folder


def init(*arguments: str) -> str:
    """What the command prints; its errors are raised."""
    result = CliRunner().invoke(app, ["init", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_single_plain_file_is_cut_at_its_paragraphs(project: Path, tmp_path: Path) -> None:
    book = tmp_path / "book.txt"
    book.write_text(
        "\n\n".join(" ".join(SENTENCES[at : at + 5]) for at in range(0, 100, 5)) + "\n\n" + "\n\n".join(SENTENCES)
    )
    said = init("--input", str(book), "--name", "harbour", "--licence", "own text")
    params = load_params(project / "params.yaml")
    assert set(params.corpora) == {"harbour"}
    source = params.corpora["harbour"]
    assert source.kind == "files"
    assert source.text_documents == "paragraph"
    assert source.licence == "own text"
    assert "120 documents, one a paragraph" in said
    assert params.validation.min_documents <= 120 // 2
    assert params.validation.min_words == len(book.read_text().split()) // 2
    assert params.wordpiece.vocabulary == 1000
    assert params.bert.steps < 300
    assert params.bert.optimizer.warmup_steps < params.bert.steps
    assert 0.02 < params.prepare.heldout_share <= 0.2


def test_the_report_will_look_at_the_corpus_own_words(project: Path, tmp_path: Path) -> None:
    lines = tmp_path / "notes.jsonl"
    lines.write_text("".join(json.dumps({"text": " ".join(SENTENCES[at : at + 4])}) + "\n" for at in range(90)))
    init("--input", str(lines))
    report = load_params(project / "params.yaml").report
    assert set(report.neighbours) <= set(" ".join(SENTENCES).lower().replace(".", "").split())
    assert report.fill
    for sentence in report.fill:
        assert sentence.count("[MASK]") == 1
        assert any(sentence.split("[MASK]")[0] in one for one in SENTENCES)
    assert report.ambiguous is None
    assert report.attention in SENTENCES


def test_a_large_enough_corpus_keeps_the_preset_as_it_is(project: Path, tmp_path: Path) -> None:
    lines = tmp_path / "large.jsonl"
    lines.write_text("".join(json.dumps({"text": " ".join(SENTENCES)}) + "\n" for _ in range(4000)))
    said = init("--input", str(lines), "--preset", "mini")
    before, after = preset_text("mini"), (project / "params.yaml").read_text()
    assert "preset mini" in said
    for section in ("validation:", "prepare:", "words:", "wordpiece:", "bert:", "gate:"):
        assert before.split(f"\n{section}")[1].split("\n\n")[0] == after.split(f"\n{section}")[1].split("\n\n")[0]


@pytest.mark.parametrize(
    ("content", "error", "said"),
    [
        (b"", DataError, "bad.txt: empty file"),
        (b"only a few words\n" * 20, DataError, "80 words; at least 1000 are needed"),
        (b"caf\xe9 " * 2000, DataError, "not UTF-8"),
    ],
)
def test_text_that_cannot_be_used_changes_nothing(
    project: Path, tmp_path: Path, content: bytes, error: type[FirthError], said: str
) -> None:
    file = tmp_path / "bad.txt"
    file.write_bytes(content)
    before = (project / "params.yaml").read_bytes()
    with pytest.raises(error, match=said):
        init("--input", str(file))
    assert (project / "params.yaml").read_bytes() == before


def test_a_wrong_preset_or_a_wrong_name_changes_nothing(project: Path, tmp_path: Path) -> None:
    file = tmp_path / "fine.txt"
    file.write_text("\n".join(SENTENCES * 3))
    before = (project / "params.yaml").read_bytes()
    with pytest.raises(ConfigError, match="preset 'huge' does not exist; there are: base, demo"):
        init("--input", str(file), "--preset", "huge")
    with pytest.raises(ConfigError, match="My Corpus"):
        init("--input", str(file), "--name", "My Corpus")
    assert (project / "params.yaml").read_bytes() == before


def test_changes_that_git_does_not_hold_are_not_replaced(project: Path, tmp_path: Path) -> None:
    file = tmp_path / "fine.txt"
    file.write_text("\n".join(SENTENCES * 3))
    path = project / "params.yaml"
    path.write_text(path.read_text().replace("dim: 100", "dim: 64"))
    with pytest.raises(FirthError, match="not committed"):
        init("--input", str(file))
    assert "dim: 64" in path.read_text()
    init("--input", str(file), "--force")
    assert "dim: 100" in path.read_text()
