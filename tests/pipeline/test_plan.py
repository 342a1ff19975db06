"""A wrong request is refused before anything starts; what a run changes is told from what it does not."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.toy_project import replace

from firth.config import bert, preset_names
from firth.errors import ConfigError, FirthError
from firth.pipeline import form, plan


def test_wrong_parameters_are_refused_by_name_and_nothing_is_written(toy: Path) -> None:
    with pytest.raises(ConfigError, match=r"word2vec\.window = -1"):
        plan.make(toy, None, ["word2vec.window=-1"], [])
    with pytest.raises(ConfigError, match="did you mean 'window'"):
        plan.make(toy, None, ["word2vec.windw=5"], [])
    with pytest.raises(ConfigError, match="preset 'huge' does not exist"):
        plan.make(toy, "huge", [], [])
    assert not (toy / ".firth" / "worktrees").exists()


def test_a_wrong_stage_is_refused(toy: Path) -> None:
    with pytest.raises(FirthError, match="stage 'trian' does not exist; did you mean 'train'"):
        plan.make(toy, None, [], ["trian"])


def test_a_task_that_is_new_may_be_named_by_its_stage(toy: Path) -> None:
    """The clone's graph has no such stage yet; the run's own has."""
    side = "train: {kind: files, path: a.csv, sha256: " + "ab" * 32 + "}"
    task = f"kind: text, format: csv, title: t, licence: l, attribution: a, {side}"
    made = plan.make(toy, None, [f"tasks={{reports: {{{task}}}}}"], ["tasks@reports"])
    assert made.targets == ("tasks@reports",)


def test_only_other_parameters_are_a_change(toy: Path) -> None:
    text = (toy / "params.yaml").read_text()
    same = plan.make(toy, "demo", ["word2vec.window=5"], [])
    assert not same.changed
    assert same.changes == ()
    assert same.params_text == text
    other = plan.make(toy, None, ["word2vec.window=7"], ["train"])
    assert other.changed
    assert other.changes == ("word2vec.window: 5 → 7",)
    assert "window: 7" in other.params_text
    assert other.params.word2vec.window == 7
    assert (toy / "params.yaml").read_text() == text


def test_a_preset_runs_although_params_yaml_is_broken(toy: Path) -> None:
    replace(toy / "params.yaml", "  window: 5", "  window: five")
    with pytest.raises(ConfigError, match=r"params\.yaml.*word2vec\.window = 'five'"):
        plan.make(toy, None, ["word2vec.dim=50"], [])
    assert plan.make(toy, "demo", [], []).changed


def test_the_form_offers_every_preset() -> None:
    first, *names = form.Preset.__args__
    assert first == form.AS_IS
    assert sorted(names) == preset_names()


def test_the_form_offers_every_size_of_bert() -> None:
    assert form.Size.__args__ == (form.AS_IS, *bert.Size.__args__)


def test_fields_that_were_not_filled_in_change_nothing() -> None:
    fields = {"word2vec.window": 0, "word2vec.dim": 50, "word2vec.cbow.learning_rate": 0.03, "bert.size": form.AS_IS}
    assert form.overrides(fields, ["word2vec.dim=60", "  "]) == [
        "word2vec.dim=50", "word2vec.cbow.learning_rate=0.03", "word2vec.dim=60",
    ]  # fmt: skip
    assert form.preset_of(form.AS_IS) is None
    assert form.preset_of("demo") == "demo"
