"""Where a result comes from, read from git, dvc.lock and the validation results."""

from __future__ import annotations

from pathlib import Path

import pytest
from scored_project import DVC, ScoredProject

from firth.errors import IntegrityError
from firth.tracking.provenance import Surroundings, git_state, output_hash, read_lock, validation_word


def test_upstream_is_walked_through_all_stages(tmp_path: Path) -> None:
    made = ScoredProject(tmp_path / "p")
    made.train("skipgram", 1)
    record = Surroundings.of(made.root).provenance(["data/tokens/words"])
    assert record["stages"] == {
        "ingest@news": {"data/raw/news": DVC["data/raw/news"]},
        "prepare": {"data/corpus": DVC["data/corpus"]},
        "validate@news": {"data/validation/news": DVC["data/validation/news"]},
        "words": {"data/tokens/words": DVC["data/tokens/words"]},
    }
    assert record["validation"] == {"news": {"success": True, "failed": []}}
    assert record["corpora"]["boolq"]["licence"] == "CC BY-SA 3.0"
    assert output_hash(read_lock(made.root), "data/tokens/words") == "4" * 32 + ".dir"


def test_a_runs_own_outputs_make_no_tree_dirty(tmp_path: Path) -> None:
    made = ScoredProject(tmp_path / "p")
    made.train("skipgram", 1)
    state = git_state(made.root)
    assert len(state["commit"]) == 40
    assert state["dirty"] is False
    (made.root / "params.yaml").write_text("changed", encoding="utf-8")
    assert git_state(made.root)["dirty"] is True
    assert git_state(tmp_path / "nowhere") == {"commit": "unknown", "dirty": True}


def test_validation_in_one_word(tmp_path: Path) -> None:
    made = ScoredProject(tmp_path / "p")
    made.train("skipgram", 1)
    made.validated("wiki", False)
    validation = Surroundings.of(made.root).provenance([])["validation"]
    assert validation["wiki"] == {"success": False, "failed": ["enough words"]}
    assert validation_word(validation) == "failed"
    assert validation_word({}) == "missing"


def test_a_torn_lock_is_named(tmp_path: Path) -> None:
    (tmp_path / "dvc.lock").write_text("stages: {a: [", encoding="utf-8")
    with pytest.raises(IntegrityError, match=r"dvc\.lock: not valid YAML"):
        read_lock(tmp_path)


def test_a_lock_that_names_code_runs_none_of_it(tmp_path: Path) -> None:
    (tmp_path / "dvc.lock").write_text(f"stages: !!python/object/apply:os.mkdir ['{tmp_path / 'made'}']\n")
    with pytest.raises(IntegrityError, match=r"dvc\.lock: not valid YAML"):
        read_lock(tmp_path)
    assert not (tmp_path / "made").exists()
