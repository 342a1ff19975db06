"""The flow `evaluate`: its form, what its fields change, and a run of named tasks on a toy project."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flows.evaluate import evaluate
from prefect.exceptions import ParameterTypeError

from firth.config.load import preset_text
from firth.errors import ConfigError
from firth.pipeline.plan import Plan

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value will soon raise:DeprecationWarning")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The demo's parameters in a repository."""
    import subprocess

    from tests.support.study_project import ROOT

    (tmp_path / "params.yaml").write_text(preset_text("demo"))
    (tmp_path / "dvc.yaml").write_text((ROOT / "dvc.yaml").read_text())
    for command in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    subprocess.run(["dvc", "init", "-q"], cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FIRTH_STATE", raising=False)
    return tmp_path


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[Plan, bool]]]:
    """The plans that the flow would carry out, and whether the gate would decide."""
    found: list[tuple[Plan, bool]] = []

    def note(asked: Plan, promote: bool) -> dict[str, Any]:
        found.append((asked, promote))
        return {}

    monkeypatch.setattr("flows.evaluate.carry_out", note)
    yield found


def test_the_form_says_what_each_field_is_and_a_server_enforces_it() -> None:
    fields = evaluate.parameters.model_dump()["properties"]
    assert all(field.get("description") and "default" in field for field in fields.values())
    assert fields["modes"]["items"]["enum"] == ["frozen", "finetuned"]
    for wrong in ({"seeds": -1}, {"modes": ["warm"]}, {"protocol": "mine"}, {"learning_rate": 2}):
        with pytest.raises(ParameterTypeError, match=next(iter(wrong))):
            evaluate.validate_parameters(wrong)


def test_every_field_is_a_parameter(project: Path, planned: list[tuple[Plan, bool]]) -> None:
    evaluate.fn(
        tasks=["snippets", "ner"], encoders=["bert", "skipgram"], modes=["finetuned", "frozen"],
        heads=["linear", "bilstm"], protocol="paper", seeds=2, epochs=4, learning_rate=3e-5, train_examples=50,
        ensemble=True, overrides=["evaluation.layers=concat4"], promote=False,
    )  # fmt: skip
    [(plan, promote)] = planned
    assert not promote
    assert plan.targets == ("tasks@snippets", "tasks@ner")
    settings = plan.params.evaluation
    assert (settings.encoders, settings.modes) == (["bert", "skipgram"], ["finetuned", "frozen"])
    assert (settings.heads, settings.protocol) == (["linear", "bilstm"], "paper")
    assert (settings.seeds, settings.ensemble, settings.layers) == ([1, 2], True, "concat4")
    assert (settings.finetuning.epochs, settings.finetuning.learning_rate) == (4, 3e-5)
    examples = {name: task.train_examples for name, task in plan.params.tasks.items()}
    assert examples == {"snippets": 50, "boolq": 200, "disflqa": 300, "ner": 50}


def test_fields_left_alone_are_as_in_the_parameters(project: Path, planned: list[tuple[Plan, bool]]) -> None:
    evaluate.fn()
    [(plan, promote)] = planned
    assert promote
    assert not plan.changed
    assert plan.targets == ()


def test_a_task_that_is_not_there_is_said_before_anything_runs(project: Path, planned: list[Any]) -> None:
    with pytest.raises(ConfigError, match="tasks: mrpc is none of this project's; there are snippets, boolq"):
        evaluate.fn(tasks=["mrpc"])
    assert not planned
