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
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    command = [sys.executable, "-c", RUN, str(project.root)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    decisions, artifact = json.loads(done.stdout.splitlines()[-1])
    assert [(item["name"], item["verdict"]) for item in decisions] == [
        ("word2vec-skipgram", "promoted"),
        ("word2vec-cbow", "refused"),
    ]
    assert "**word2vec-cbow** version 1: **refused**; champion is now none" in artifact
    assert "wordsim353 0.2000 is below the minimum 0.3500" in artifact
