"""Where a result comes from, read from git, dvc.lock and the validation results."""

from __future__ import annotations

from pathlib import Path

from scored_project import DVC, ScoredProject

from firth.tracking.provenance import Surroundings, git_state, validation_word


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
