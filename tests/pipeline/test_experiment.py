"""What a run leaves: an experiment that makes any clone up to date, and results brought home only where they fit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.support.toy_project import dvc, replace, run, status

from firth.config import with_overrides
from firth.pipeline import experiment, snapshot, worktree
from firth.pipeline.execute import Processes, run_stage
from firth.pipeline.git import git
from firth.pipeline.graph import Project


def work(
    root: Path, name: str, *overrides: str, targets: Sequence[str] = ()
) -> tuple[Path, snapshot.Snapshot, list[str]]:
    """A worktree in which everything that is stale has run."""
    start = snapshot.take(root)
    text, params = with_overrides((root / "params.yaml").read_text(), list(overrides))
    place = worktree.create(root, name, start, text, params)
    with Project(place) as project:
        graph = project.graph().select(targets)
        stale = project.stale(graph)
    ran = [stage for stage in graph.stages if stage in stale]
    for stage in ran:
        run_stage(stage, place, worktree.environment(root), print, Processes())
    return place, start, ran


@pytest.mark.slow
def test_an_experiment_leaves_the_clone_untouched_and_applied_makes_it_up_to_date(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("user.name", "user.email"):
        git(built, "config", "--unset", key)
    (built / "untracked.py").write_text("a new module that is not committed\n")
    before = status(built)

    place, _start, ran = work(built, "toy-run-1", "word2vec.window=8")
    commit = experiment.save(built, place, "toy-run-1")
    worktree.remove(built, "toy-run-1")

    assert ran == ["train", "report"]
    assert status(built) == before
    assert (built / "data/model/model.txt").read_text() == "window 5"
    assert git(built, "rev-parse", f"{commit}^") == git(built, "rev-parse", "HEAD")
    assert git(built, "show", f"{commit}:untracked.py").startswith(b"a new module")
    assert "toy-run-1" in dvc(built, "exp", "list", "--all-commits")

    (built / "untracked.py").unlink()
    dvc(built, "exp", "apply", "toy-run-1")
    assert dvc(built, "status") == "Data and pipelines are up to date.\n"
    assert (built / "data/model/model.txt").read_text() == "window 8"
    assert (built / "data/report/index.html").read_text() == "<p>window 8"


@pytest.mark.slow
def test_an_experiment_of_some_stages_says_nothing_of_the_others(built: Path) -> None:
    """What was not run with the new parameters is not up to date with them, and may not be there at all."""
    place, _start, ran = work(built, "toy-run-5", "word2vec.window=8", targets=["train"])
    experiment.save(built, place, "toy-run-5", ["raw@x", "raw@y", "train"])
    worktree.remove(built, "toy-run-5")
    dvc(built, "exp", "apply", "toy-run-5")

    assert ran == ["train"]
    assert (built / "data/model/model.txt").read_text() == "window 8"
    said = dvc(built, "status")
    assert "report:" in said
    assert "train:" not in said


@pytest.mark.slow
def test_an_experiment_of_some_stages_needs_no_outputs_of_the_others(toy: Path) -> None:
    place, _start, ran = work(toy, "toy-run-6", targets=["raw@x"])
    experiment.save(toy, place, "toy-run-6", ["raw@x"])
    assert ran == ["raw@x"]
    assert "toy-run-6" in dvc(toy, "exp", "list", "--all-commits")


@pytest.mark.slow
def test_results_come_home_to_an_unchanged_clone_even_a_dirty_one(toy: Path) -> None:
    replace(toy / "src/train.py", "window {window}", "the window is {window}")
    (toy / "staged.py").write_text("x = 1\n")
    git(toy, "add", "staged.py")
    index = git(toy, "ls-files", "--stage")

    place, start, ran = work(toy, "toy-run-2")
    assert experiment.bring_home(toy, place, start, ran)
    worktree.remove(toy, "toy-run-2")

    assert ran == ["raw@x", "raw@y", "train", "report"]
    assert git(toy, "ls-files", "--stage") == index
    assert (toy / "data/model/model.txt").read_text() == "the window is 5"
    assert dvc(toy, "status") == "Data and pipelines are up to date.\n"
    assert "data/raw" not in run(toy, "git", "status", "--porcelain", "--untracked-files=all").replace(
        "data/raw/.gitignore", ""
    ), "DVC's ignore files came too, so that outputs are not offered to Git"


@pytest.mark.slow
def test_results_do_not_come_home_to_a_clone_that_has_changed_meanwhile(built: Path) -> None:
    replace(built / "params.yaml", "  window: 5", "  window: 6")
    place, start, ran = work(built, "toy-run-3")
    with (built / "src/report.py").open("a") as file:
        file.write("# edited while the run was at work\n")
    before = status(built)

    assert not experiment.bring_home(built, place, start, ran)

    assert status(built) == before
    assert (built / "data/model/model.txt").read_text() == "window 5"


def test_a_damaged_output_is_replaced_by_the_runs(built: Path) -> None:
    start = snapshot.take(built)
    text, params = with_overrides((built / "params.yaml").read_text(), [])
    (built / "data/model/model.txt").unlink()
    (built / "data/model/model.txt").write_text("edited by hand")

    place = worktree.create(built, "toy-run-4", start, text, params)
    assert experiment.bring_home(built, place, start, ["train"])

    assert (built / "data/model/model.txt").read_text() == "window 5"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("crafty-otter", "crafty-otter-3f2a91"), ("Größe / ..~^: x", "gr-e-x-3f2a91"), ("", "run-3f2a91")],
)
def test_a_runs_name_is_a_valid_reference(name: str, expected: str) -> None:
    made = experiment.name_for(name, "0b9c0d5e-0000-4000-8000-0000003f2a91")
    assert made == expected
