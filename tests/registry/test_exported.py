"""Models written as folders that MLflow serves: kept models of every kind, a BERT, word vectors."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow_server import post, serving
from one_thread import one_thread  # noqa: F401
from typer.testing import CliRunner
from usage_examples import bert, draw, trained, vectors

from firth.bert.folder import save
from firth.cli import app
from firth.errors import FirthError
from firth.registry.exported import EXAMPLES, export_mlflow
from firth.registry.versions import pyfunc
from firth.tasks.kept.folder import load
from firth.tasks.kept.predicting import predict, record
from firth.word2vec.matrix_files import save_matrices

Kept = Callable[[str], Path]
KINDS = ["text", "pair", "number", "choice", "tagging", "span"]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """A kept model of each kind, made when it is asked for."""
    folder = tmp_path_factory.mktemp("kept")
    return cache(lambda kind: trained(folder / kind, kind, seeds=[1])[1])


def rows(kind: str, count: int = 4) -> list[dict[str, Any]]:
    return [{key: one[key] for key in EXAMPLES[kind]} for one in draw(kind, count, 2)]


def expected(folder: Path, asked: list[dict[str, Any]], best: int = 0) -> list[dict[str, Any]]:
    model = load(folder)
    return predict(model, [record(model, one) for one in asked], best)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_answers_as_the_kept_model(kept: Kept, tmp_path: Path, kind: str) -> None:
    import pandas as pd

    export_mlflow(kept(kind), tmp_path / "served")
    model = pyfunc().load_model(str(tmp_path / "served"))
    asked = rows(kind)
    answers = model.predict(pd.DataFrame(asked)).to_dict("records")
    wanted = expected(kept(kind), asked)
    assert [one["prediction"] for one in answers] == [one["prediction"] for one in wanted]
    for name in set(wanted[0]) - {"prediction"}:
        assert [one[name] for one in answers] == pytest.approx([one[name] for one in wanted], abs=1e-5)
    example = model.input_example
    assert list(example.columns) == list(EXAMPLES[kind])
    assert len(model.predict(example)) == 1
    assert not [path for path in (tmp_path / "served").rglob("*") if path.suffix in (".pkl", ".pickle")]


@pytest.mark.slow
@pytest.mark.parametrize("bars", [None, "true"])
def test_of_mlflows_own_lines_only_warnings_are_shown(
    kept: Kept,
    tmp_path: Path,
    bars: str | None,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    variable = "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"
    monkeypatch.delenv(variable, raising=False)
    if bars is not None:
        monkeypatch.setenv(variable, bars)
    served, real = kept("text"), pyfunc().save_model
    log = logging.getLogger("mlflow")
    level = log.level
    capfd.readouterr()
    export_mlflow(served, tmp_path / "quiet")
    assert capfd.readouterr() == ("", "")

    def warns(**options: Any) -> None:
        real(**options)
        logging.getLogger("mlflow.pyfunc").warning("something is off")
        raise OSError("the disk is full")

    monkeypatch.setattr(pyfunc(), "save_model", warns)
    with pytest.raises(FirthError, match="the disk is full"):
        export_mlflow(served, tmp_path / "warned")
    assert "WARNING mlflow.pyfunc: something is off" in capfd.readouterr().err
    assert (log.level, os.environ.get(variable)) == (level, bars)


@pytest.mark.slow
def test_the_limits_of_a_request(kept: Kept, tmp_path: Path) -> None:
    import pandas as pd
    from mlflow.exceptions import MlflowException

    export_mlflow(kept("text"), tmp_path / "served", most_rows=3, most_characters=100)
    model = pyfunc().load_model(str(tmp_path / "served"))
    assert len(model.predict(pd.DataFrame(rows("text", 3)), params={"best": 2})["best"][0]) == 2
    for asked, params, message in (
        (rows("text", 4), {}, "a request may have 3 rows; this one has 4: send it in parts"),
        ([{"text": "x" * 101}], {}, "a request may have 100 characters; this one has 101"),
        (rows("text", 1), {"best": -1}, "best is -1; it is from 0 to 100"),
        (rows("text", 1), {"best": 101}, "best is 101; it is from 0 to 100"),
        ([{"text": "fine"}, {"text": 3}], {}, "row 2: field 'text' holds a number, not text"),
    ):
        with pytest.raises(MlflowException, match=message) as error:
            model.predict(pd.DataFrame(asked), params=params)
        assert error.value.get_http_status_code() == 400


SERVE = """
import json, sys
import mlflow, pandas as pd
model = mlflow.pyfunc.load_model(sys.argv[1])
found = model.predict(pd.DataFrame(json.loads(sys.argv[2])))
import firth
print(json.dumps([found["prediction"].tolist(), firth.__file__, "transformers" in sys.modules]))
"""


@pytest.mark.slow
def test_the_code_beside_it_is_all_it_needs(kept: Kept, tmp_path: Path) -> None:
    export_mlflow(kept("tagging"), tmp_path / "served")
    command = [sys.executable, "-c", SERVE, str(tmp_path / "served"), json.dumps(rows("tagging"))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    tags, package, hugging = json.loads(done.stdout.splitlines()[-1])
    assert tags == [one["prediction"] for one in expected(kept("tagging"), rows("tagging"))]
    assert Path(package).is_relative_to(tmp_path / "served"), "not the Firth that is installed here"
    assert not hugging
    needs = (tmp_path / "served" / "requirements.txt").read_text().split()
    assert all("==" in line for line in needs)


@pytest.mark.slow
def test_a_bert_and_word_vectors_by_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pandas as pd
    from mlflow.exceptions import MlflowException

    monkeypatch.chdir(tmp_path)
    limits = ["--most-rows", "2", "--most-characters", "20"]
    found = vectors()
    save_matrices(tmp_path / "words", found.vocabulary, {"input": found.matrix})
    save(tmp_path / "own", bert())
    for name, column, value, answer in (
        ("words", "word", "film", "neighbours"),
        ("own", "text", "a [MASK]", "fillings"),
    ):
        command = ["export", name, "--format", "mlflow", "--to", f"served-{name}", *limits]
        done = CliRunner().invoke(app, command, catch_exceptions=False)
        assert f"serve it: mlflow models serve -m served-{name} --env-manager local" in done.stdout
        model = pyfunc().load_model(str(tmp_path / f"served-{name}"))
        assert model.predict(pd.DataFrame({column: [value]}))[answer][0]
        with pytest.raises(MlflowException, match="a request may have 2 rows; this one has 3: send it in parts"):
            model.predict(pd.DataFrame({column: [value] * 3}))
        with pytest.raises(MlflowException, match="a request may have 20 characters; this one has 21"):
            model.predict(pd.DataFrame({column: ["x" * 21]}))
    for command, message in (
        (["export", "own", "--format", "mlflow", "--to", "words"], "words: is there already"),
        (["export", "own", "--to", "new", "--most-rows", "3"], "--most-rows and --most-characters go with --format"),
    ):
        with pytest.raises(FirthError, match=message):
            CliRunner().invoke(app, command, catch_exceptions=False)


@pytest.mark.slow
def test_signature_and_example_hold_for_each_use(tmp_path: Path) -> None:
    from mlflow.models import get_model_info

    found = vectors()
    save_matrices(tmp_path / "words", found.vocabulary, {"input": found.matrix})
    save(tmp_path / "own", bert())
    for name, task, columns, numbers in (
        ("words", "neighbours", {"word", "known", "neighbours", "similarities"}, "similarities"),
        ("words", "encode", {"word", "known", "vector"}, "vector"),
        ("own", "fill", {"text", "cut", "fillings", "probabilities"}, "probabilities"),
        ("own", "encode", {"text", "cut", "vector"}, "vector"),
    ):
        served = tmp_path / f"served-{name}"
        if not served.exists():
            export_mlflow(tmp_path / name, served)
        said = get_model_info(str(served)).signature
        model = pyfunc().load_model(str(served))
        example = model.input_example
        assert list(example.columns) == said.inputs.input_names()
        assert model.metadata.load_input_example_params(str(served)) == {one.name: one.default for one in said.params}
        answers = model.predict(example, params={"task": task})
        assert set(answers) == columns
        required = {one.name for one in said.outputs if one.required}
        assert required <= columns <= set(said.outputs.input_names())
        alone = model.predict(example[1:], params={"task": task})
        assert np.array(alone[numbers][0]) == pytest.approx(np.array(answers[numbers][1]), abs=1e-5)


@pytest.mark.system
@pytest.mark.parametrize("kind", ["span", "tagging"])
def test_it_answers_over_http(kept: Kept, tmp_path: Path, kind: str) -> None:
    export_mlflow(kept(kind), tmp_path / "served", most_rows=5)
    with serving([str(tmp_path / "served")], tmp_path) as (port,):
        asked = rows(kind)
        status, said = post(port, {"dataframe_records": asked})
        assert status == 200, said
        answers = said["predictions"]
        wanted = expected(kept(kind), asked)
        assert [one["prediction"] for one in answers] == [one["prediction"] for one in wanted]
        for one, answer in zip(asked, answers, strict=True):
            if kind == "span":
                assert one["context"][answer["start"] : answer["end"]] == answer["prediction"] != ""
            else:
                assert len(answer["prediction"]) == len(one["tokens"])
        if kind == "span":
            status, said = post(port, {"dataframe_records": asked, "params": {"best": 3}})
            assert [len(one["best"]) for one in said["predictions"]] == [3] * 4
        status, said = post(port, {"dataframe_records": rows(kind, 6)})
        assert (status, "may have 5 rows; this one has 6" in said["message"]) == (400, True)
        status, said = post(port, {"dataframe_records": [{"wrong": "x"}]})
        assert status == 400
