"""Kept models of word vectors and on frozen encoders, written as folders that MLflow serves."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from one_thread import one_thread  # noqa: F401
from usage_examples import draw, trained

from firth.config.usages import BiLSTM
from firth.registry.exported import EXAMPLES, export_mlflow
from firth.registry.versions import pyfunc
from firth.tasks.kept.folder import load
from firth.tasks.kept.forms import FINETUNED, FORMS, Form
from firth.tasks.kept.predicting import predict, record

NEW = [form for form in FORMS if form != FINETUNED]
SERVE = """
import json, sys
sys.modules["usearch"] = None  # searches in vectors need it; a model of a task does not
import mlflow, pandas as pd
model = mlflow.pyfunc.load_model(sys.argv[1])
found = model.predict(pd.DataFrame(json.loads(sys.argv[2])))
import firth
print(json.dumps([found["prediction"].tolist(), firth.__file__, "transformers" in sys.modules]))
"""


def kept(folder: Path, kind: str, form: Form) -> Path:
    settings: dict[str, Any] = {"modes": [form.mode], "heads": [form.head], "bilstm": BiLSTM(hidden=8, epochs=2)}
    return trained(folder, kind, words=form.encoder == "vectors", seeds=[1], **settings)[1]


def rows(kind: str) -> list[dict[str, Any]]:
    return [{key: one[key] for key in EXAMPLES[kind]} for one in draw(kind, 4, 2)]


@pytest.mark.slow
@pytest.mark.parametrize(("form", "kind"), list(zip(NEW, EXAMPLES, strict=True)))  # each kind of task under one form
def test_each_form_answers_as_the_kept_model(tmp_path: Path, form: Form, kind: str) -> None:
    import pandas as pd

    folder = kept(tmp_path, kind, form)
    export_mlflow(folder, tmp_path / "served")
    asked = rows(kind)
    answers = pyfunc().load_model(str(tmp_path / "served")).predict(pd.DataFrame(asked)).to_dict("records")
    model = load(folder)
    wanted = predict(model, [record(model, one) for one in asked])
    assert [one["prediction"] for one in answers] == [one["prediction"] for one in wanted]
    for name in set(wanted[0]) - {"prediction"}:
        assert [one[name] for one in answers] == pytest.approx([one[name] for one in wanted], abs=1e-5)
    assert not [path for path in (tmp_path / "served").rglob("*") if path.suffix in (".pkl", ".pickle")]


@pytest.mark.slow
def test_the_code_beside_it_is_all_it_needs(tmp_path: Path) -> None:
    folder = kept(tmp_path, "tagging", Form("vectors", "finetuned", "bilstm"))
    export_mlflow(folder, tmp_path / "served")
    command = [sys.executable, "-c", SERVE, str(tmp_path / "served"), json.dumps(rows("tagging"))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    tags, package, hugging = json.loads(done.stdout.splitlines()[-1])
    model = load(folder)
    assert tags == [one["prediction"] for one in predict(model, [record(model, one) for one in rows("tagging")])]
    assert Path(package).is_relative_to(tmp_path / "served"), "not the Firth that is installed here"
    assert not hugging
