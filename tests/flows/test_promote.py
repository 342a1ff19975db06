"""The flow `promote`: its form's checks, and a run on a real store with its artifact."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from flows.promote import promote
from scored_project import ScoredProject, mlflow_template, project

__all__ = ["mlflow_template", "project"]
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("models", [["glove"], [], "skipgram"])
def test_wrong_models_are_refused_before_anything_starts(models: object) -> None:
    from prefect.exceptions import ParameterTypeError

    with pytest.raises(ParameterTypeError, match="models"):
        promote.validate_parameters({"models": models, "folder": ""})


def test_the_form_shows_what_can_be_chosen() -> None:
    from prefect.utilities.callables import parameter_schema

    schema = parameter_schema(promote).model_dump()
    models = schema["properties"]["models"]
    assert models["items"]["enum"] == ["skipgram", "cbow", "bert"]
    assert models["default"] == ["skipgram", "cbow", "bert"]
    assert models["description"] == "Models to decide about."


RUN = """
import json, sys
from prefect.artifacts import Artifact
from prefect.testing.utilities import prefect_test_harness
from flows.promote import promote
with prefect_test_harness(server_startup_timeout=120):
    decisions = promote(["skipgram", "cbow"], sys.argv[1])
    print(json.dumps([decisions, Artifact.get("promotion").data]))
"""


@pytest.mark.slow
@pytest.mark.system
def test_a_flow_run_decides_and_shows_why(project: ScoredProject) -> None:
    project.train("skipgram", 1)
    project.train("cbow", 1, {"analogies": 0.06, "wordsim353": 0.2, "simlex999": 0.2})
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "src")))}
    command = [sys.executable, "-c", RUN, str(project.root)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    decisions, artifact = json.loads(done.stdout.splitlines()[-1])
    assert [(item["name"], item["verdict"]) for item in decisions] == [
        ("word2vec-skipgram", "promoted"),
        ("word2vec-cbow", "refused"),
    ]
    assert "**word2vec-cbow** version 1: **refused**; champion is now none" in artifact
    assert "wordsim353 0.2000 is below the minimum 0.3500" in artifact


WAITING = """
import asyncio, json, sys, threading, time
from prefect.client.orchestration import get_client
from prefect.flow_runs import resume_flow_run
from prefect.testing.utilities import prefect_test_harness
from flows.promote import promote

async def paused():
    async with get_client() as client:
        return [run.id for run in await client.read_flow_runs() if run.state.is_paused()]

def answer():
    while not (runs := asyncio.run(paused())):
        time.sleep(0.2)
    async def resume():
        async with get_client() as client:
            await client.resume_flow_run(runs[0], run_input={"approve": True, "by": "Ada"})
    asyncio.run(resume())

with prefect_test_harness(server_startup_timeout=120):
    nobody = promote(["skipgram"], sys.argv[1], 0.02)
    threading.Thread(target=answer, daemon=True).start()
    print(json.dumps([nobody, promote(["skipgram"], sys.argv[1], 5.0)]))
"""


@pytest.mark.slow
@pytest.mark.system
def test_a_paused_run_is_answered_in_its_form(project: ScoredProject) -> None:
    project.change("gate.approval=true")
    project.train("skipgram", 1)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "src")))}
    command = [sys.executable, "-c", WAITING, str(project.root)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    (left,), (answered,) = json.loads(done.stdout.splitlines()[-1])
    assert (left["verdict"], left["champion"]) == ("pending", None)
    assert "nobody has answered in 0.02 minutes" in done.stderr
    assert (answered["verdict"], answered["champion"]) == ("promoted", "1")
    assert "approved by Ada" in answered["reasons"][-1]
