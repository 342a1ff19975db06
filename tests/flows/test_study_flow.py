"""The flow `study`: what is there is not trained again, a failed cell does not end the others, and a real one."""

from __future__ import annotations

import importlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from tests.support import study_project
from tests.support.toy_project import dvc, status
from typer.testing import CliRunner

from firth.canonical import read_json, write_json
from firth.cli import app
from firth.errors import FirthError
from firth.pipeline.finish import RunFailedError
from firth.pipeline.schedule import Outcome
from firth.pipeline.studies import Name
from flows import study as module

pytestmark = [pytest.mark.filterwarnings("ignore:_NoneStep.value will soon raise:DeprecationWarning")]
SECONDS = 240.0


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    monkeypatch.delenv("FIRTH_STATE", raising=False)
    root = study_project.make(tmp_path / "clone", sources=False)
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Cells and seeds that the flow trains; no training takes place and each leaves its record."""
    found: list[tuple[str, int]] = []

    def cell(_title: str, name: str, *rest: Any) -> dict[str, Any]:
        *_, what, seed, key = rest
        found.append((what, seed))
        loss = {"positions": 45, "loss": 5.0 + len(found) / 10, "unigram": 6.0, "accuracy": 0.1}
        record = {"key": key, "cell": what, "seed": seed, "steps": 12, "tokens": 4000, "measured": {"hidden": loss}}
        record |= {"experiment": f"{name}-{len(found)}", "mlflow_run": "0" * 32}
        plain = re.sub(r"[^a-z0-9]+", "-", what.lower()).strip("-")
        write_json(Path(f".firth/studies/{name}/cells/{plain}-seed{seed}.json"), record)
        return record

    monkeypatch.setattr(module, "cell", cell)
    monkeypatch.setattr(module, "say", lambda _text: None)
    monkeypatch.setattr(module, "publish", lambda _page: None)
    return found


def test_the_form_offers_the_studies_by_name() -> None:
    fields = module.study.parameters.model_dump()["properties"]
    assert fields["name"]["enum"] == list(get_args(Name))
    assert fields["seeds"]["minimum"] == 1
    assert all(field.get("description") and "default" in field for field in fields.values())


def test_what_the_server_offers_are_flows_of_these_names() -> None:
    offered = yaml.safe_load((study_project.ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
    assert "study" in {one["name"] for one in offered}
    for one in offered:
        path, _, name = one["entrypoint"].partition(":")
        found = getattr(importlib.import_module(path.removesuffix(".py").replace("/", ".")), name)
        assert found.name == one["name"]


def test_the_command_lists_the_studies_and_asks_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    listed = CliRunner().invoke(app, ["study", "--list"])
    assert listed.exit_code == 0
    assert all(name in listed.output for name in get_args(Name))
    assert "always [MASK]" in listed.output
    assert "firth study --list" in str(CliRunner().invoke(app, ["study"]).exception)


def test_a_cell_that_is_there_is_not_run_again(project: Path, trained: list[tuple[str, int]]) -> None:
    made = module.study.fn(name="replacement")
    assert trained == [("80/10/10", 1), ("always [MASK]", 1)]
    page = Path(made["page"])
    assert page == project / ".firth/studies/replacement/index.html"
    results = read_json(page.parent / "results.json")
    assert [cell["losses"] for cell in results["measures"][0]["cells"]] == [[5.1], [5.2]]

    module.study.fn(name="replacement", seeds=2)
    assert trained[2:] == [("80/10/10", 2), ("always [MASK]", 2)]
    assert read_json(page.parent / "results.json")["seeds"] == [1, 2]

    (page.parent / "cells" / "always-mask-seed1.json").unlink()
    module.study.fn(name="replacement", seeds=2)
    assert trained[4:] == [("always [MASK]", 1)]

    module.study.fn(name="replacement", bert_steps=13)
    assert len(trained) == 7
    assert read_json(page.parent / "results.json")["settings"] == ["bert.steps: 12 → 13"]


@pytest.mark.usefixtures("project")
def test_a_cell_that_fails_does_not_keep_the_others_from_being_trained(
    trained: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    good = module.cell

    def failing(state: Any) -> Callable[..., Any]:
        def cell(*arguments: Any) -> Any:
            if "15 %" in arguments[0]:
                raise RunFailedError({"bert": Outcome("bert", state, 1.0, "the loss is nan")})
            return good(*arguments)

        return cell

    monkeypatch.setattr(module, "cell", failing("failed"))
    with pytest.raises(FirthError, match=r"(?s)15 %, seed 1: bert: the loss is nan.*1 of 5 trainings failed"):
        module.study.fn(name="masking-rate")
    assert len(trained) == 4
    assert not Path(".firth/studies/masking-rate/index.html").exists()
    monkeypatch.setattr(module, "cell", failing("stopped"))
    with pytest.raises(RunFailedError):
        module.study.fn(name="masking-rate", bert_steps=13)
    assert len(trained) == 5, "who cancels a cell cancels the study"


def firth(root: Path, *arguments: str) -> subprocess.Popen[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PREFECT_", "MLFLOW_", "FIRTH_"))}
    return subprocess.Popen(
        [sys.executable, "-m", "firth.cli", *arguments],
        cwd=root,
        env=kept | {"PYTHONPATH": str(root / "src")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def said(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, output
    return output


@pytest.mark.system
def test_a_study_that_is_broken_off_goes_on_and_ends_with_experiments_runs_and_a_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    root = study_project.make(tmp_path / "clone")
    before = status(root)
    study = ("study", "left-to-right", "--set", "bert.steps=100")
    process = firth(root, *study)
    while not list(root.glob(".firth/runs/bert/*/checkpoints/step-*")):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 130, output

    output = said(firth(root, *study))
    assert "goes on from its checkpoint" in output
    folder = root / ".firth" / "studies" / "left-to-right"
    assert f"study: {folder / 'index.html'}" in output
    assert re.search(r"left to right +\d\.\d{3}", output)
    assert "Nothing is claimed" in output
    results = read_json(folder / "results.json")
    assert [run["steps"] for run in results["runs"]] == [100, 100]
    (measure,) = results["measures"]
    assert all(cell["mean"] < measure["unigram"] + 1 for cell in measure["cells"])
    listed = dvc(root, "exp", "list", "--all-commits")
    assert all(run["experiment"] in listed for run in results["runs"])
    assert status(root) == before, "the clone is as it was"
    assert tagged(root) == {run["mlflow_run"]: run["cell"] for run in results["runs"]}

    (folder / "cells" / "masked-seed1.json").unlink()
    output = said(firth(root, *study))
    assert "left to right, seed 1: is there" in output
    assert re.search(r"✓ bert +restored", output), "DVC knows what came of these inputs"
    again = read_json(folder / "results.json")
    assert again["measures"] == results["measures"]


def tagged(root: Path) -> dict[str, str]:
    """MLflow's runs and the cells that they are tagged with."""
    import sqlite3

    with sqlite3.connect(root / ".firth" / "mlflow" / "mlflow.db") as store:
        return dict(store.execute("select run_uuid, value from tags where key = 'firth.study.left-to-right'"))
