"""What GLUE's leaderboard takes, out of kept models and the official test files."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner
from usage_examples import draw, examples_of, trained

from firth.cli import app
from firth.errors import DataError
from firth.tasks.batch import submission
from firth.tasks.batch.submission import submit
from firth.tasks.kept.folder import load
from firth.tasks.kept.predicting import predict, record
from firth.tasks.official.glue import TASKS
from firth.tasks.official.predictions import read_predictions

ROWS = TASKS["wnli"].rows["test"]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of WNLI: pairs with the labels 0 and 1; and one of other labels that calls itself RTE's."""
    folder = tmp_path_factory.mktemp("models")
    drawn = [one | {"label": "01"[one["label"] == "yes"]} for one in draw("pair", 200, 1)]
    examples = examples_of(folder / "e", "pair", drawn[:180], drawn[180:])
    for name in ("wnli", "rte"):
        _, kept = trained(folder / name, "pair", examples, seeds=[1])
        (folder / "models").mkdir(exist_ok=True)
        kept.rename(folder / "models" / name)
    return folder / "models"


def write_test_file(
    data: Path, name: str = "wnli", rows: int = ROWS, old: str = "", new: str = ""
) -> list[dict[str, str]]:
    task = TASKS[name]
    drawn = draw("pair", rows, 3)
    (data / task.folder).mkdir(parents=True, exist_ok=True)
    lines = ["index\tsentence1\tsentence2", *(f"{n}\t{one['first']}\t{one['second']}" for n, one in enumerate(drawn))]
    text = "\n".join(lines) + "\n"
    (data / task.folder / "test.tsv").write_text(text.replace(old, new) if old else text)
    return drawn


def only(models: Path, folder: Path, name: str) -> Path:
    folder.mkdir()
    (folder / name).symlink_to(models / name)
    return folder


def test_the_answers_stand_in_the_order_of_the_test_file(models: Path, tmp_path: Path) -> None:
    drawn = write_test_file(tmp_path / "GLUE")
    done = submit([only(models, tmp_path / "models", "wnli")], tmp_path / "GLUE", tmp_path / "out")
    assert done.files == {"wnli": tmp_path / "out" / "WNLI.tsv"}
    kept = load(models / "wnli")
    answers = [answer["prediction"] for answer in predict(kept, [record(kept, one) for one in drawn])]
    assert list(read_predictions(done.files["wnli"], ("0", "1")).by_index.items()) == list(enumerate(answers))
    assert set(answers) == {"0", "1"}
    assert done.zip is None
    assert done.missing == [name for name in TASKS if name != "wnli"]


def test_models_of_several_folders_answer_together(models: Path, tmp_path: Path) -> None:
    drawn = write_test_file(tmp_path / "GLUE")
    one = only(models, tmp_path / "models", "wnli")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "wnli").symlink_to(models / "rte")  # a model of the same labels, in truth
    done = submit([one, tmp_path / "other"], tmp_path / "GLUE", tmp_path / "out")
    first, second = load(models / "wnli"), load(models / "rte")
    answers = predict(first, [record(first, row) for row in drawn], beside=[second])
    found = list(read_predictions(done.files["wnli"], ("0", "1")).by_index.values())
    assert found == [answer["prediction"] for answer in answers]
    with pytest.raises(DataError, match=r"empty: holds no kept model by the name of a set"):
        submit([one, tmp_path / "empty"], tmp_path / "GLUE", tmp_path / "out")


def test_all_files_together_are_zipped(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submission, "TASKS", {"wnli": TASKS["wnli"]})
    write_test_file(tmp_path / "GLUE")
    arguments = ["submit", "--models", str(models), "--data", str(tmp_path / "GLUE"), "--to", str(tmp_path / "out")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "submission.zip: all 1 files" in result.output
    with zipfile.ZipFile(tmp_path / "out" / "submission.zip") as packed:
        assert packed.namelist() == ["WNLI.tsv"]
        assert packed.read("WNLI.tsv") == (tmp_path / "out" / "WNLI.tsv").read_bytes()
        (member,) = packed.infolist()
    assert member.date_time == (1980, 1, 1, 0, 0, 0), "the same answers give the same zip"
    assert member.compress_size < member.file_size
    assert member.external_attr >> 16 == 0o644, "unzip gives a file that others may read"


def test_a_row_without_text_is_answered_all_the_same(models: Path, tmp_path: Path) -> None:
    """QQP's test file has such questions, and the leaderboard wants an answer for each row."""
    drawn = write_test_file(tmp_path / "GLUE")
    write_test_file(tmp_path / "GLUE", old=f"\n3\t{drawn[3]['first']}\t", new="\n3\t\t")
    done = submit([only(models, tmp_path / "models", "wnli")], tmp_path / "GLUE", tmp_path / "out")
    assert len(read_predictions(done.files["wnli"], ("0", "1")).by_index) == ROWS


def test_what_the_leaderboard_would_refuse_is_not_written(models: Path, tmp_path: Path) -> None:
    data, out = tmp_path / "GLUE", tmp_path / "out"
    with pytest.raises(DataError, match=r"holds no kept model by the name of a set \(cola, sst-2, mrpc"):
        submit([tmp_path], data, out)
    one = only(models, tmp_path / "models", "wnli")
    with pytest.raises(DataError, match=r"no test\.tsv there, plain or packed: the test file of WNLI"):
        submit([one], data, out)
    write_test_file(data, rows=9)
    with pytest.raises(DataError, match=r"test\.tsv: 9 rows, but the test file of WNLI has 146"):
        submit([one], data, out)
    write_test_file(data, old="\n7\t", new="\n700\t")
    with pytest.raises(DataError, match="column 'index' does not count its 146 rows from 0 on"):
        submit([one], data, out)
    write_test_file(data, "rte", 3_000)
    with pytest.raises(DataError, match="a model for the labels 0, 1, but RTE has entailment, not_entailment"):
        submit([only(models, tmp_path / "other", "rte")], data, out)
    assert not list(out.glob("*")), "nothing half"
