"""A study's plan: its trainings, what they share and how they differ, and which of them are there already."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, get_args

import pytest
from tests.support import study_project
from tests.support.toy_project import replace

from firth.canonical import write_json
from firth.config.load import flatten
from firth.errors import ConfigError, FirthError
from firth.pipeline import study
from firth.pipeline.studies import STUDIES, Name, find


@pytest.fixture(scope="session")
def _project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return study_project.make(tmp_path_factory.mktemp("studies") / "clone", sources=False)


@pytest.fixture
def project(_project: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(_project, tmp_path / "clone", symlinks=True))


def asked(project: Path, name: str = "replacement", *overrides: str, **more: Any) -> study.Asked:
    return study.Asked(project, name, None, overrides, **more)


@pytest.mark.parametrize("name", STUDIES)
def test_trainings_differ_in_what_is_studied_and_in_nothing_else(project: Path, name: Name) -> None:
    wanted = asked(project, name, "bert.steps=30")
    shared = flatten(study.shared(wanted).params)
    runs = study.runs(wanted)
    assert [run.cell for run in runs] == list(STUDIES[name].cells)
    for run in runs:
        own = flatten(run.plan.params)
        differs = {key for key in own if own[key] != shared[key]}
        assert differs <= STUDIES[name].keys
        assert own["bert.steps"] == 30
        assert {key: own[f"bert.{key}"] for key in run.cell.changes} == run.cell.changes
        assert run.plan.changed, "a cell works apart from the clone, whatever its parameters"
        assert run.plan.targets == ("bert",)
    assert len({run.key for run in runs}) == len({run.record for run in runs}) == len(runs)
    assert STUDIES[name].paper in {run.cell.name for run in runs}


@pytest.mark.parametrize("name", STUDIES)
def test_all_cells_are_measured_on_one_text_under_one_masking_that_of_the_paper(project: Path, name: Name) -> None:
    shared = study.shared(asked(project, name, "bert.dropout=0.2")).params.bert
    for measure in STUDIES[name].measures:
        held = measure.settings(shared)
        assert (held.masking.rate, held.masking.mask, held.masking.random) == (0.15, 0.8, 0.1)
        assert held.objective == "masked"
        assert held.heldout == shared.heldout


def test_seeds_follow_the_projects_own_and_make_whole_comparisons_first(project: Path) -> None:
    replace(project / "params.yaml", "  price: 0.0\n  seed: 1", "  price: 0.0\n  seed: 7")
    runs = study.runs(asked(project, seeds=2))
    assert [(run.seed, run.plan.params.bert.seed) for run in runs] == [(7, 7), (7, 7), (8, 8), (8, 8)]


def test_what_the_study_sets_is_not_to_be_set_besides(project: Path) -> None:
    with pytest.raises(ConfigError, match=r"bert\.masking\.rate is not yours to set here: it is what the study"):
        study.runs(asked(project, "masking-rate", "bert.masking.rate=0.2"))
    with pytest.raises(ConfigError, match="give --seeds"):
        study.runs(asked(project, "replacement", "bert.seed=4"))
    with pytest.raises(ConfigError, match=r"bert\.stepps"):
        study.runs(asked(project, "replacement", "bert.stepps=4"))
    with pytest.raises(ConfigError, match="unlike amounts of text"):
        study.runs(asked(project, "replacement", "bert.minutes=4"))
    with pytest.raises(FirthError, match="there are: masking-rate, replacement"):
        find("masking")
    assert set(STUDIES) == set(get_args(Name))


def test_a_record_is_taken_for_what_it_is_the_record_of(project: Path) -> None:
    first, second = study.runs(asked(project))
    assert first.found() is None
    write_json(first.record, {"key": first.key, "cell": first.cell.name})
    assert first.found() == {"key": first.key, "cell": "80/10/10"}
    assert second.found() is None
    first.record.write_text('{"key": ')
    assert first.found() is None, "torn"

    def keys(*overrides: str) -> set[str]:
        return {run.key for run in study.runs(asked(project, "replacement", *overrides))}

    before = keys()
    (project / "notes.md").write_text("notes\n")
    assert keys() == before, "what no training reads"
    assert keys("bert.steps=13").isdisjoint(before)
    replace(project / "src" / "stage.py", "x = 1", "x = 2")
    assert keys().isdisjoint(before), "sources as they are, committed or not"


def test_a_training_of_sources_that_changed_meanwhile_is_not_begun(project: Path) -> None:
    wanted = asked(project)
    first, _ = study.runs(wanted)
    replace(project / "src" / "stage.py", "x = 1", "x = 2")
    with pytest.raises(FirthError, match="changed while the study was at work"):
        study.make(wanted, first.cell.name, first.seed, first.key, "f" * 32)


def test_results_go_where_asked(project: Path) -> None:
    assert asked(project).folder == project / ".firth" / "studies" / "replacement"
    assert asked(project, output="studies/mine").folder == project / "studies" / "mine"
    assert asked(project, output="/elsewhere").folder == Path("/elsewhere")
